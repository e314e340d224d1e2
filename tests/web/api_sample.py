"""Orders, calls and a report for tests of the API: made up, and the same each time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, MergedCall, Order, OrderKind
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import OWN_RULE, facts_of
from callback_scheduler.reports.report import Material, Question, Report, make_report
from routing.working_time import WorkingTime
from tests.fakes.ledger import an_order
from tests.fakes.site_operations import sample_site

PHONE, UNIT_PHONE = "13800001234", "02152398801"
_STATES = (OrderState.SENT, OrderState.ACKNOWLEDGED, OrderState.NOT_REACHED, OrderState.REACHED, OrderState.CLOSED)
_UNITS = (("tax", "tax"), ("market", "company_registration"), ("health", "clinic_license"))


def orders_of_a_day(at: datetime, count: int) -> list[Order]:
    """Return orders opened in the minutes before `at`, two of them in each minute, of three units."""
    return [_order(number, at - timedelta(minutes=number // 2 + 1)) for number in range(count)]


def _order(number: int, opened_at: datetime) -> Order:
    unit_id, matter_id = _UNITS[number % len(_UNITS)]
    order_id = f"260310{1}{9999 - number:04d}"
    merged = MergedCall(
        order_id=f"260310{2}{number:04d}", call_id=f"m{number}", kind=OrderKind.MISSED, opened_at=opened_at,
        caller_number=PHONE, company="", key_path="1", message_path="",
    )  # fmt: skip
    return an_order(
        order_id=order_id, unit_id=unit_id, matter_id=matter_id, opened_at=opened_at, kind=OrderKind.ONLINE,
        state=_STATES[number % len(_STATES)], key_path="online", caller_number=PHONE, callback_number=PHONE,
        written_request=f"请打 {PHONE}", merged_calls=(merged,), attempts=(_attempt(order_id, opened_at),),
        first_response_at=opened_at + timedelta(seconds=42.5),
    )  # fmt: skip


def _attempt(order_id: str, at: datetime) -> Attempt:
    evidence = Evidence(
        call_id=f"c{order_id}", unit_number=UNIT_PHONE, unit_answered_at=at, accepted_at=at, enterprise_number=PHONE,
        enterprise_answered_at=at, talk_began_at=at, two_way_s=61.5, recording="a/b.wav",
    )  # fmt: skip
    return Attempt(
        attempt_id=f"{order_id}-a1", begun_at=at, by="unit", number=PHONE, unit_number=UNIT_PHONE,
        outcome=AttemptOutcome.REACHED, ended_at=at + timedelta(minutes=2), enterprise_rung_at=at, evidence=evidence,
    )  # fmt: skip


def call_records(at: datetime, count: int) -> list[dict[str, Any]]:
    """Return records of calls as the ledger gives them, newest first."""
    return [_record(number, at - timedelta(minutes=number + 1)) for number in range(count)]


def _record(number: int, at: datetime) -> dict[str, Any]:
    text = at.isoformat()
    leg = {"leg_id": 1, "role": "caller", "number": PHONE, "name": "", "started_at": text, "answered_at": text,
           "accepted_at": None, "ended_at": text, "sip_status": 200, "cause": "", "two_way_s": 30.0,
           "rx_packets": 1, "tx_packets": 1}  # fmt: skip
    return {
        "call_id": f"{at:%Y%m%dT%H%M%S}-{number:08x}", "sip_call_id": "x", "caller_number": PHONE,
        "called_number": "12345", "offered_at": text, "direction": "in", "answered_at": text, "ended_at": text,
        "was_open": True, "steps": ["menu", "seat"], "key_path": "1", "matter_id": "tax",
        "unit_id": _UNITS[number % 3][0], "asked_for_person_at": text,
        "person_answered_at": (at + timedelta(seconds=12)).isoformat(), "transfer": "accepted", "outcome": "served",
        "cause": "", "two_way_s": 30.0, "legs": [leg], "recordings": ["a.wav"], "order_ids": [], "attempt_id": "",
        "supervisions": [],
    }  # fmt: skip


def just_offered(call_id: str = "20260310T090400-0000abcd") -> dict[str, Any]:
    """Return the record of a call that runs, or was lost with its node: what `call_offered` tells."""
    return {
        "call_id": call_id, "sip_call_id": "x", "caller": PHONE, "called": "12345", "was_closed": False,
        "direction": "in", "attempt_id": "",
    }  # fmt: skip


def running(call_id: str = "20260310T090100-00000001", unit_id: str = "tax") -> dict[str, Any]:
    """Return a call of this moment as `ivr.dispatch.status.status_of` tells it."""
    return {
        "call_id": call_id, "direction": "in", "caller": "138****1234", "step": "seat", "line": 1, "pid": 1,
        "recording": True, "running_s": 12.5, "offered_at": "2026-03-10T09:01:00+08:00", "stage": "with_seat",
        "matter_id": "tax", "unit_id": unit_id, "orders": [], "supervision": None,
        "people": [{"role": "seat", "name": "席一", "is_up": True}],
    }  # fmt: skip


def healthy() -> dict[str, Any]:
    """Return what a node tells of itself that can take a call."""
    return {
        "lines": {"total": 2, "free": 7, "in_use": 1, "recycled": 3, "died": 0, "cap": 4, "waiting": 0},
        "door": {"listen": "127.0.0.1:5060", "counters": {"rejected_full": 2}},
        "trunks": {"city": {"state": "registered", "sip_status": 200, "left_s": 100}},
        "ledger": {
            "journal": {"journal_id": "j", "position": 12345, "queued": 0},
            "redis": {"is_up": True, "rebuilds": 1}, "events_waiting": 4,
        },
        "notices": [{"receiver": "city", "waiting": 3, "dead_letters": 1, "failures_in_a_row": 0}],
        "seats": [{"number": "8001", "name": "席一", "state": "talking"}, {"number": "8002", "state": "ready"}],
        "calls": [running()],
    }  # fmt: skip


def report_of(orders: list[Order], since: date, at: datetime) -> Report:
    """Return a real report of these orders."""
    site = sample_site()
    units = {unit.unit_id: unit.name for unit in site.directory.units}
    material = Material([facts_of(order) for order in orders], [], [])
    return make_report(Question(at, OWN_RULE, since), material, WorkingTime(site.hours, site.calendar), units)
