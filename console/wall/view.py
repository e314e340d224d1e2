"""What the wall shows: the calls, seats, lines and trunks of this moment, and the figures of today."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from callback_scheduler.errors import StoreError
from callback_scheduler.orders.verdict import OWN_RULE
from callback_scheduler.reports.calls import THREE_WAY_GOAL_PERCENT, total_calls
from callback_scheduler.reports.report import Question
from console.people.roles import Role
from console.visit import Visit
from ivr.dispatch.stage import Stage
from node.operations.readiness import alarms

WAITING = frozenset({Stage.WAITS_FOR_SEAT.value, Stage.RINGS_SEAT.value})
TALKING = frozenset(
    stage.value
    for stage in (
        Stage.HELD, Stage.THREE_WAY, Stage.SEAT_RINGS_SPECIALIST, Stage.WITH_SEAT, Stage.WITH_SPECIALIST,
    )
)  # fmt: skip
_INCOMING = frozenset({"in", "dial_in"})
_MISSES_SHOWN, _MISSES_DAYS = 6, 3
STAGES = tuple(stage.value for stage in Stage)
SEAT_STATES = ("ready", "ringing", "talking", "wrap_up", "away")
NOT_OFFERED = ("in_call", "ringing", "away", "calls_not_answered", "wrap_up")
TRUNK_STATES = ("trying", "registered", "refused", "unreachable", "stopped", "unasked", "faulty")
MODES = ("listen", "whisper", "barge")


def present(visit: Visit) -> dict[str, Any]:
    """Return what is going on at this moment, and the place in the stream of events from which it goes on."""
    status = visit.operations.status()
    calls = status["calls"]
    return {
        "position": visit.console.events.position,
        "calls": [call for call in calls if call["direction"] in _INCOMING],
        "callbacks": [call for call in calls if call["direction"] not in _INCOMING],
        "waiting": sum(call["stage"] in WAITING for call in calls),
        "talking": TALKING,
        "seats": status["seats"],
        "ready": sum(seat["state"] == "ready" for seat in status["seats"]),
        "lines": status["lines"],
        "opening": status["opening"],
        "words": words(visit),
        "may_supervise": visit.role is Role.SUPERVISOR,
        "own_name": str(visit.actor),
    }


def words(visit: Visit) -> Mapping[str, Any]:
    """Return the words that the page needs for what comes later, in the language of whoever asks."""
    t, directory = visit.t, visit.operations.directory
    assert visit.account is not None
    return {
        "stages": {stage: t(f"wall.stage.{stage}") for stage in STAGES},
        "waiting": sorted(WAITING),
        "talking": sorted(TALKING),
        "states": {state: t(f"wall.seat.{state}") for state in SEAT_STATES},
        "reasons": {f"seat.not_offered.{why}": t(f"seat.not_offered.{why}") for why in NOT_OFFERED},
        "trunks": {state: t(f"wall.trunk.{state}") for state in TRUNK_STATES},
        "modes": {mode: t(f"wall.mode.{mode}") for mode in MODES},
        "matters": {matter.matter_id: matter.name for matter in directory.matters},
        "units": {unit.unit_id: unit.name for unit in directory.units},
        "no_matter": t("wall.no_matter"),
        "rings": t("wall.rings"),
        "me": str(visit.actor),
        "may_supervise": visit.role is Role.SUPERVISOR,
        "supervised": t("wall.supervised"),
    }


async def figures(visit: Visit) -> dict[str, Any]:
    """Return today's counters and the last misses, both None while Redis is away, and what somebody must see to."""
    return {"alarms": alarms(visit.operations.status()), **await _counted(visit)}


async def _counted(visit: Visit) -> dict[str, Any]:
    at = visit.now()
    today = Question(at, OWN_RULE, since=at.date(), until=at.date())
    lately = Question(at, OWN_RULE, since=at.date() - timedelta(days=_MISSES_DAYS), until=at.date())
    status = visit.operations.status()
    node = {"is_clock_doubted": status["timetable"].get("is_clock_doubted", False), "drain": status["drain"]}
    try:
        counted = await visit.operations.report(today)
        missed = (await visit.operations.report(lately)).misses
    except StoreError:
        return node | {"tally": None, "misses": None}
    tally = total_calls(counted.calls)
    return node | {
        "tally": tally,
        "rates": tally.rates(),
        "budget": counted.budget_today,
        "goal": THREE_WAY_GOAL_PERCENT,
        "misses": missed[:_MISSES_SHOWN],
        "missed": len(missed),
        "missed_days": _MISSES_DAYS,
        "may_open_orders": visit.role is Role.SUPERVISOR,
        "units": {unit.unit_id: unit.name for unit in visit.operations.directory.units},
    }
