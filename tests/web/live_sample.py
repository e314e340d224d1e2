"""A busy morning for pages to show: calls in every stage, seats in every state, misses and callbacks."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from callback_scheduler.orders.deadlines import Deadline
from callback_scheduler.orders.order import Order, OrderKind
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import Verdict
from callback_scheduler.reports.calls import CallTally
from callback_scheduler.reports.figures import ErrorBudget, Rate
from routing.search import DirectorySearch
from tests.fakes.operations import MORNING, FakeOperations

CALL_ID = "20260310T090231-1a2b3c4d"
CALLER = "13812345678"
SEAT_NUMBER = "8001"


def person(role: str, name: str, *, is_up: bool = True) -> dict[str, Any]:
    """Return one of the people of a call, as the node tells of them."""
    return {"role": role, "name": name, "is_up": is_up}


def call(call_id: str, caller: str, stage: str, seconds: float, *people: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a running call as the node tells of it."""
    return {
        "call_id": call_id, "direction": "in", "caller": caller, "step": "seat", "line": 1, "pid": 1,
        "recording": False, "running_s": seconds, "offered_at": (MORNING - timedelta(seconds=seconds)).isoformat(),
        "stage": stage, "matter_id": "", "unit_id": "", "orders": [], "people": list(people), "supervision": None,
    } | more  # fmt: skip


def seat(number: str, name: str, state: str, reason: str = "", why: str = "", **more: Any) -> dict[str, Any]:
    """Return a seat as the node tells of it."""
    is_in_call = state in ("talking", "ringing")
    return {
        "number": number, "name": name, "state": state, "reason": reason, "why": why, "call_id": "",
        "since": (MORNING - timedelta(minutes=4)).isoformat(), "next_state": "ready" if is_in_call else state,
    } | more  # fmt: skip


def call_in_hand(**more: Any) -> dict[str, Any]:
    """Return the call of a seat, as `seat_call` gives it."""
    party = {"number": "", "name": "", "state": "talking", "seconds": 95.0}
    return {
        "call_id": CALL_ID, "direction": "in", "caller": CALLER, "called": "12345", "matter_id": "company_registration",
        "matter": "企业登记", "unit_id": "market", "step": "seat", "offered_at": MORNING.isoformat(), "seconds": 110.0,
        "talked_s": 95.0, "is_held": False, "supervision": None,
        "parties": [
            party | {"role": "caller", "number": CALLER},
            party | {"role": "seat", "number": SEAT_NUMBER, "name": "企业专席一"},
        ],
        "may": {"transfer": "", "hold": "", "drop": "call.nobody_to_drop", "leave": "call.nobody_else"},
        "open_orders": [], "last_calls": [],
    } | more  # fmt: skip


def order(order_id: str, hours: float, state: OrderState = OrderState.SENT, unit_id: str = "market") -> Order:
    """Return an order due so many hours from MORNING."""
    due = Deadline(MORNING + timedelta(hours=hours), "…", False, "1", "1", "after_hours")
    return Order(
        call_id=CALL_ID, kind=OrderKind.AFTER_HOURS, opened_at=MORNING - timedelta(hours=14), caller_number=CALLER,
        callback_number=CALLER, matter_id="company_registration", unit_id=unit_id, deadline=due,
        order_id=order_id, state=state,
    )  # fmt: skip


def report(**counts: int) -> Any:
    """Return a report as the wall reads it: a tally of calls, today's budget, and misses with their causes."""
    tally = CallTally(**(_COUNTS | counts))
    budget = ErrorBudget(90, Rate(tally.transfers_connected, tally.transfers))
    return SimpleNamespace(calls={"": tally}, budget_today=budget, misses=_MISSES)


_COUNTS = {
    "offered": 64, "answered": 61, "hung_up_early": 2, "asked": 52, "reached_person": 50, "within_15_s": 46,
    "transfers": 31, "transfers_connected": 29, "transfers_abandoned": 1,
}  # fmt: skip


def _miss(order_id: str, unit_id: str, verdict: Verdict, cause: str, hours: float) -> Any:
    facts = SimpleNamespace(order_id=order_id, unit_id=unit_id)
    due_at = MORNING.replace(hour=10, minute=0) - timedelta(hours=hours)
    return SimpleNamespace(facts=facts, verdict=verdict, due_at=due_at, cause_in=lambda words: cause)


_MISSES = (
    _miss("202603090007", "tax", Verdict.MISSED, "时限前拨打3次（单位无人接听3次），企业电话从未拨出。", 24),
    _miss("202603090003", "planning", Verdict.LATE, "时限前从未拨打，单位08:52已确认收单，逾期17分钟后才接通。", 24),
    _miss("202603060011", "market", Verdict.MISSED, "时限前拨打2次（企业占线2次），拨打企业2次未满3次。", 96),
)


def fill(operations: FakeOperations) -> None:
    """Put the busy morning into fake operations."""
    mine = {"supervision_id": f"{CALL_ID}-s9", "who": "supervisor:zhou", "mode": "listen", "state": "on"}
    tax, window = person("specialist", "纳税服务一"), person("specialist", "登记窗口一", is_up=False)
    operations.status_now |= {
        "calls": [
            call(CALL_ID, "138****5678", "three_way", 312, person("seat", "企业专席一"), tax, matter_id="tax",
                 supervision=mine),
            call("c2", "139****0021", "seat_rings_specialist", 95, person("seat", "企业专席二"), window,
                 matter_id="company_registration"),
            call("c3", "021****8800", "waits_for_seat", 22, matter_id="employment"),
            call("c4", "137****4410", "menu", 6),
            call("c5", "136****7702", "held", 431, person("seat", "企业专席四"), person("specialist", "审批窗口"),
                 matter_id="planning_permit"),
            call("b1", "****5", "enterprise", 41, person("specialist", "社保窗口"), direction="callback",
                 orders=["202603090015"], unit_id="human_resources"),
            call("b2", "****5", "unit", 12, person("specialist", "施工许可窗口", is_up=False), direction="callback",
                 orders=["202603090018"], unit_id="construction"),
        ],
        "seats": [
            seat("8001", "企业专席一", "talking", "seat.not_offered.in_call"),
            seat("8002", "企业专席二", "talking", "seat.not_offered.in_call"),
            seat("8003", "企业专席三", "away", "seat.not_offered.calls_not_answered", "连续3次未接听"),
            seat("8004", "企业专席四", "wrap_up", "seat.not_offered.wrap_up"),
            seat("8005", "企业专席五", "ready"),
        ],
        "lines": {
            "total": 10, "free": 3, "in_use": 7, "recycled": 2, "died": 0, "cap": 4, "waiting": 0, "turned_away": 2,
            "trunks": {"电信主用": {"state": "registered", "sip_status": 200, "left_s": 220},
                       "联通备用": {"state": "unreachable", "sip_status": 408, "left_s": 0}},
        },
    }  # fmt: skip
    operations.answers["report"] = report()
    operations.answers["seats.statuses"] = operations.status_now["seats"]
    operations.calls.search = DirectorySearch(operations.directory).find  # type: ignore[method-assign]
