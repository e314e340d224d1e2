"""The supervisor's home: today's ring, what is at risk now, each unit's figures, trends, funnel, error budget."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import Verdict
from callback_scheduler.reports.orders import By, total
from callback_scheduler.reports.report import Question, Report
from callback_scheduler.reports.rules import RULE_NAMES, rule_named
from callback_scheduler.store.search import OrderFilter
from console.errors import NotFound
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.supervisor.charts import SVG, TrendDay, funnel, funnel_svg, trend, trend_svg
from console.supervisor.filters import PERIODS, Filters, read_filters, trend_days
from console.supervisor.ring_chart import RADIUS, SHOWN, ring
from console.supervisor.risk import TRIES_NEEDED, at_risk
from console.visit import Visit

SUPERVISORS = (Role.SUPERVISOR,)
_RISKS_SHOWN = 100
_OWED_LOOKED_AT = 5000


@route("/compliance", roles=SUPERVISORS, nav="nav.compliance", nav_order=10)
async def compliance(visit: Visit) -> Response:
    """Show all: ?period=…&unit=…&rule=… choose what the figures are about; the upper part is always about now."""
    filters = filters_of(visit)
    now, calendar = visit.now(), visit.operations.calendar
    report = await visit.operations.report(filters.question(now, calendar))
    days = await _trend(visit, filters)
    figures = {
        "report": report, "unit_names": unit_names(visit), "total": total, "table_verdicts": SHOWN,
        "steps": funnel(report), "days": [day for day in days if day.on_time.whole or day.three_way.whole],
        "goal_percent": report.budget.goal_percent,
    }  # fmt: skip
    return visit.page("compliance/compliance.html", **shared(visit, filters), **figures, **await _now(visit, filters))


@route("/compliance/now", roles=SUPERVISORS)
async def compliance_now(visit: Visit) -> Response:
    """Show the upper part alone, for a page that is open to take in."""
    filters = filters_of(visit)
    return visit.page("compliance/now.html", **shared(visit, filters), **await _now(visit, filters))


@route("/compliance/chart/<name>", roles=SUPERVISORS)
async def chart(visit: Visit) -> Response:
    """Draw trend.svg or funnel.svg; ?narrow=1 for a phone."""
    filters, is_narrow, name = filters_of(visit), bool(visit.args.get("narrow")), visit.args["name"]
    if name == "trend.svg":
        days = await _trend(visit, filters)
        labels = tuple(f"{day.on.month}/{day.on.day}" for day in days)
        lines = tuple(
            (visit.t(f"compliance.chart.{line}"), tuple(getattr(day, line).percent for day in days))
            for line in ("on_time", "three_way")
        )
        goal = visit.t("compliance.chart.goal", percent=90)
        drawn = await visit.console.in_thread(lambda: trend_svg(labels, lines, goal, 90, is_narrow))
    elif name == "funnel.svg":
        report = await visit.operations.report(filters.question(visit.now(), visit.operations.calendar))
        steps = tuple((visit.t(f"compliance.funnel.{step.name}"), step.count) for step in funnel(report))
        drawn = await visit.console.in_thread(lambda: funnel_svg(steps, is_narrow))
    else:
        raise NotFound
    return Response(body=drawn, content_type=SVG)


def filters_of(visit: Visit, default: str = "today") -> Filters:
    """Return period, unit and rule of an address; BadInput for what there is not."""
    return read_filters(visit.args, visit.now(), frozenset(unit_names(visit)), default)


def unit_names(visit: Visit) -> dict[str, str]:
    """Return the names of the units by their ids."""
    return {unit.unit_id: unit.name for unit in visit.operations.directory.units}


def shared(visit: Visit, filters: Filters) -> dict[str, Any]:
    """Return what every page about figures shows: the choice of period, unit and rule, names and times."""
    return {
        "filters": filters, "units": visit.operations.directory.units, "rules": RULE_NAMES, "say": visit.speaker(),
        "measure": visit.measurer(),
        "periods": PERIODS, "Verdict": Verdict, "marks": MARKS, "unit_name": unit_names(visit).get,
        "behind": lambda **more: f"/orders?{filters.query(**more)}",
    }  # fmt: skip


# a sign beside each colour
MARKS = {
    Verdict.ON_TIME: ("good", "✓"),
    Verdict.SELF_REPORTED: ("warn", "✎"),
    Verdict.ATTEMPTED: ("", "☏"),
    Verdict.LATE: ("bad", "◷"),
    Verdict.MISSED: ("bad", "✕"),
    Verdict.NOT_YET_DUE: ("", "…"),
    Verdict.MERGED: ("", "⇉"),
}


async def _now(visit: Visit, filters: Filters) -> dict[str, Any]:
    """Return what is due today and what is at risk; by each order's own deadline, whatever the figures are about."""
    operations, now = visit.operations, visit.now()
    today = Question(now, rule_named("own", operations.calendar), now.date(), now.date(), filters.unit_id)
    report: Report = await operations.report(today)
    owed = await _owed(visit, filters.unit_id)
    with_leader = frozenset(unit.unit_id for unit in operations.directory.units if leader_of(unit))
    risks = at_risk(owed, now, with_leader)
    return {
        "ring": ring(report.orders, [order.due_at for order in owed], now), "radius": RADIUS, "shown": SHOWN,
        "today": report, "risks": risks[:_RISKS_SHOWN], "risks_more": max(0, len(risks) - _RISKS_SHOWN),
        "late_count": sum(one.is_late for one in risks), "at": now, "tries_needed": TRIES_NEEDED,
        "all_today": Filters("today", now.date(), now.date(), filters.unit_id), "with_leader": with_leader,
    }  # fmt: skip


async def _owed(visit: Visit, unit_id: str) -> list[Order]:
    """Return the orders owed until the end of the next workday, and those that nobody has, whenever they are due."""
    operations, today = visit.operations, visit.now()
    next_day = operations.calendar.next_workday(today.date()).on
    until = datetime.combine(next_day, time.max, today.tzinfo)
    due = await operations.orders.due_before(until, _OWED_LOOKED_AT)
    returned = await operations.orders.find(OrderFilter(states=frozenset({OrderState.RETURNED}), limit=_RISKS_SHOWN))
    by_id = {order.order_id: order for order in (*due, *returned)}
    return [order for order in by_id.values() if unit_id in ("", order.unit_id)]


def leader_of(unit: Any) -> str:
    """Return the number that a reminder rings, "" if a unit has none."""
    return unit.leader_number or unit.head_number or ""


async def _trend(visit: Visit, filters: Filters) -> list[TrendDay]:
    calendar, now = visit.operations.calendar, visit.now()
    since, until = trend_days(calendar, now.date())
    of_days = Filters("chosen", since, until, filters.unit_id, filters.rule)
    report = await visit.operations.report(of_days.question(now, calendar, By.DAY))
    return trend(report, [day for day in _days(since, until) if calendar.day(day).is_workday])


def _days(since: date, until: date) -> list[date]:
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]
