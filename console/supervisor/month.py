"""The report of a month: to print, and as CSV and an Excel workbook; the same figures as `hotline report`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from callback_scheduler.reports.calls import total_calls
from callback_scheduler.reports.files import as_csv, call_lines, miss_lines, order_lines, save_xlsx
from callback_scheduler.reports.orders import total
from callback_scheduler.reports.report import Report
from console.errors import BadInput
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.charts import funnel
from console.supervisor.compliance import SUPERVISORS, filters_of, shared, unit_names
from console.supervisor.filters import Filters, last_of, month_of
from console.supervisor.ring_chart import SHOWN
from console.visit import Visit

_LINES = {"orders": order_lines, "calls": call_lines, "misses": miss_lines}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MISSES_PRINTED = 200


@route("/reports/month", roles=SUPERVISORS, nav="nav.month", nav_order=14)
async def month_page(visit: Visit) -> Response:
    """Show a month on paper: ?month=2026-02&unit=…&rule=…"""
    filters = _month(visit)
    report = await _report(visit, filters)
    return visit.page(
        "compliance/month.html", **shared(visit, filters), report=report, unit_names=unit_names(visit), total=total,
        table_verdicts=SHOWN, calls=total_calls(report.calls), call_rows=report.calls, steps=funnel(report),
        misses=report.misses[:_MISSES_PRINTED], month=f"{filters.since:%Y-%m}", at=visit.now(),
    )  # fmt: skip


@route("/reports/month.csv", roles=SUPERVISORS)
async def month_csv(visit: Visit) -> Response:
    """Give the month as CSV: ?table=orders, calls or misses."""
    lines = _LINES.get(visit.args.get("table", "orders"))
    if lines is None:
        raise BadInput
    report, units = await _report(visit, filters := _month(visit)), unit_names(visit)
    text: str = await visit.console.in_thread(lambda: as_csv(lines(report, units)))
    name = f"hotline-{filters.since:%Y-%m}-{visit.args.get('table', 'orders')}.csv"
    return Response(body=text.encode(), content_type="text/csv; charset=utf-8", headers=_as_file(name))


@route("/reports/month.xlsx", roles=SUPERVISORS)
async def month_xlsx(visit: Visit) -> Response:
    """Give the month as a workbook."""
    report, units = await _report(visit, filters := _month(visit)), unit_names(visit)
    body: bytes = await visit.console.in_thread(lambda: _workbook(report, units))
    return Response(body=body, content_type=_XLSX, headers=_as_file(f"hotline-{filters.since:%Y-%m}.xlsx"))


def _workbook(report: Report, units: Mapping[str, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        save_xlsx(report, units, path)
        return path.read_bytes()


def _as_file(name: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Disposition", f'attachment; filename="{name}"'),)


def _month(visit: Visit) -> Filters:
    """Return the filters of an address, with its month as their period."""
    first = month_of(visit.args.get("month", ""), visit.now().date())
    named = filters_of(visit)
    return Filters("chosen", first, last_of(first), named.unit_id, named.rule)


async def _report(visit: Visit, filters: Filters) -> Report:
    report: Report = await visit.operations.report(
        filters.question(visit.now(), visit.operations.calendar)
    )
    return report
