"""A console with everything in it at a workday's 09:41, always the same: `python pictured_morning.py <folder>`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy
import pyotp
import soundfile
from argon2 import PasswordHasher

from callback_scheduler.orders.call_facts import CallFacts
from callback_scheduler.orders.causes import timeline
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import facts_of
from callback_scheduler.reports.report import Material, Question, Report, make_report
from console import site as console_site
from console.people.accounts import Account, Accounts
from console.people.roles import Role
from console.people.tokens import API
from console.site import WebConsole
from node.operations.site.previews import Redated
from routing.clock import SHANGHAI, MovableClock
from routing.working_time import WorkingTime
from tests.fakes.operations import MORNING, FakeOperations
from tests.web import live_sample, unit_sample
from tests.web.pictured_orders import NOW, Story
from tests.web.serving import serve
from tests.web.visitors import PASSWORD, at_once, finished

ACCOUNTS = {
    Role.ADMIN: Account("chen", Role.ADMIN, display_name="陈管理"),
    Role.SUPERVISOR: Account("zhou", Role.SUPERVISOR, number="8090", display_name="周督办"),
    Role.SEAT: Account("li", Role.SEAT, number=live_sample.SEAT_NUMBER, display_name="李坐席"),
    Role.UNIT: Account("wang", Role.UNIT, unit_id="tax", number="6111", display_name="王办事"),
}
_ACTS = (
    ("admin:陈管理", "admin", "admin_hours.set_switch", "night", "防汛值守", "303"),
    ("unit:tax:王办事", "unit", "unit_people.propose", "tax", "纳税服务二换号码：6114", "303"),
    ("unit:tax:王办事", "unit", "unit.acknowledge", "26030910263", "", "303"),
    ("supervisor:周督办", "supervisor", "order.show_numbers", "26030910264", "企业来电投诉", "200 numbers shown"),
    ("seat:李坐席", "seat", "seat.transfer", live_sample.CALL_ID, "", "200 matter tax"),
)


def build(folder: Path) -> FakeOperations:
    """Return operations that know the whole morning; recordings are in `folder`."""
    operations = FakeOperations(NOW)
    folder.mkdir(parents=True, exist_ok=True)
    sound = folder / "sound.wav"
    _write_speech(sound)
    operations.recordings_there["message.wav"] = sound
    story = Story()
    operations.orders_there = story.orders
    _tell_two_stories(operations, story, sound)
    live_sample.fill(operations)
    operations.status_now = _later(operations.status_now)
    until = NOW.replace(hour=12, minute=0).isoformat()
    operations.status_now["opening"] = {"is_open": True, "reason": "工作时间", "until": until}
    operations.status_now["trunks"] = operations.status_now["lines"]["trunks"]
    operations.answers["seats.statuses"] = operations.status_now["seats"]
    operations.answers["call_view.seat_call"] = _later(live_sample.call_in_hand(**_history(story)))
    operations.answers |= _later(unit_sample.site_answers(sound))
    _redate(operations)
    operations.answers["number_check.last"] = _later(_LAST_CHECK)
    operations.report = _counted_by(operations, story)  # type: ignore[method-assign]
    today = [_call_of(call, place) for place, call in enumerate(story.calls) if call.offered_ms >= _MIDNIGHT_MS]
    operations.calls_there[:0] = reversed(today)
    return operations


_LAST_CHECK = {
    "at": MORNING - timedelta(minutes=20), "who": "unit:tax:王办事", "numbers": 3, "is_running": False,
    "results": [
        {"number": "6111", "result": "answered", "seconds": 4.0},
        {"number": "6112", "result": "no_answer", "seconds": 18.0},
        {"number": "6113", "result": "wrong_number", "seconds": 0.0},
    ],
}  # fmt: skip


def _later(value: Any) -> Any:
    """Move the samples of another minute of that morning to this one."""
    if isinstance(value, dict):
        return {key: _later(one) for key, one in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(_later(one) for one in value)
    if isinstance(value, datetime):
        return value + (NOW - MORNING)
    if isinstance(value, str) and value.startswith("2026-03-10T"):
        return (datetime.fromisoformat(value) + (NOW - MORNING)).isoformat()
    return value


def _redate(operations: FakeOperations) -> None:
    """Let the notice of 2027 move the deadlines of orders of that year."""
    before, after = (NOW.replace(year=2027, month=2, day=day, hour=10, minute=0) for day in (8, 15))
    preview = operations.answers["site.calendar.preview"]
    moved = tuple(Redated(one.order_id, one.unit_id, before, after) for one in preview.moved)
    operations.answers["site.calendar.preview"] = replace(preview, moved=moved)
    operations.answers["site.hours.preview"] = unit_sample.earlier_hours(NOW)


def _history(story: Story) -> dict[str, Any]:
    """Return what a seat sees of its caller: two open orders, and the calls before."""
    is_open = [one for one in story.orders.values() if one.state in (OrderState.SENT, OrderState.NOT_REACHED)]
    before = {"offered_at": (MORNING - timedelta(days=1)).isoformat(), "matter_id": "tax", "outcome": "served",
              "two_way_s": 184.2}  # fmt: skip
    longer = {"offered_at": (MORNING - timedelta(days=12)).isoformat(), "matter_id": "company_registration",
              "outcome": "order", "two_way_s": 0.0}  # fmt: skip
    return {"open_orders": is_open[-2:], "last_calls": [before, longer]}


def _write_speech(path: Path) -> None:
    """Write a minute that looks like somebody speaking."""
    at = numpy.arange(8000 * 61)
    loudness = 0.15 * numpy.abs(numpy.sin(at / 5000)) * (numpy.sin(at / 31_000) > -0.6)
    soundfile.write(path, numpy.random.default_rng(1).normal(size=at.size) * loudness, 8000, subtype="PCM_16")


def _counted_by(operations: FakeOperations, story: Story) -> Any:
    names = {unit.unit_id: unit.name for unit in operations.directory.units}

    async def report(question: Question) -> Report:
        material = Material([facts_of(order) for order in story.orders.values()], story.calls, ())
        made = make_report(question, material, WorkingTime(operations.hours, operations.calendar), names)
        told = (replace(one, timeline=tuple(timeline(story.orders[one.facts.order_id]))) for one in made.misses)
        return replace(made, misses=tuple(told))

    return report


_MIDNIGHT_MS = int(NOW.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)

# -- the whole story of two orders ------------------------------------------------------------------------------------


def _tell_two_stories(operations: FakeOperations, story: Story, sound: Path) -> None:
    """Give an order of the tax unit that was reached, and one that was reached late, events, calls and recordings."""
    orders = reversed(list(story.orders.values()))
    reached = next(one for one in orders if one.unit_id == "tax" and one.reached_at and one.due_at.date() == NOW.date())
    late = next(one for one in reversed(list(story.orders.values())) if one.overdue_at and len(one.attempts) == 2)
    for told in (reached, late):
        order = story.put(told, message_path=f"{told.order_id}-m.wav")
        of_talks = (one.evidence.recording for one in order.attempts if one.evidence)
        operations.recordings_there |= {path: sound for path in (order.message_path, *of_talks) if path}
        operations.events_there[order.order_id] = _events(order)
        operations.calls_there += [_first_call(order), *(_callback(order, one) for one in order.attempts)]


def shown_orders(operations: FakeOperations) -> dict[str, str]:
    """Return the numbers of the orders that pages are opened for."""
    reached, late = operations.events_there
    orders = operations.orders_there.values()
    risky = next(one for one in orders if one.state is OrderState.NOT_REACHED and one.due_at.date() == NOW.date())
    return {"reached": reached, "late": late, "risky": risky.order_id}


def _event(number: str, kind: str, at: datetime | None, **payload: Any) -> dict[str, Any]:
    return {"event_id": number, "type": kind, "at": (at or NOW).isoformat(), "payload": payload}


def _events(order: Order) -> list[dict[str, Any]]:
    usual: dict[str, Any] = {"who": "timetable", "why": "", "changes": {}}
    told = [
        _event("1", "order_opened", order.opened_at, order_id=order.order_id),
        _event("2", "order_changed", order.sent_at, event="sent", **usual),
    ]
    for one in order.attempts:
        what = "reached" if one.outcome is AttemptOutcome.REACHED else "attempt_failed"
        for event, at, outcome in (
            ("attempt_begun", one.begun_at, "under_way"), (what, one.ended_at, one.outcome.value),
        ):  # fmt: skip
            number = f"{one.attempt_id}-{event}"
            told.append(_event(number, "order_changed", at, event=event, attempt={"outcome": outcome}, **usual))
    return told


def _call_of(facts: CallFacts, place: int) -> dict[str, Any]:
    """Return the record of a call of today that a specialist was asked to join."""

    def at(seconds: float) -> str:
        return datetime.fromtimestamp(facts.offered_ms / 1000 + seconds, SHANGHAI).isoformat()

    is_served = facts.transfer == "accepted"
    rung = [("6111", "纳税服务一", 15, 24), ("6112", "纳税服务二", 30, 39)][: 1 if is_served else 2]
    legs = [
        {"leg_id": 1, "role": "caller", "number": f"138{place:08}", "name": "", "started_at": at(0),
         "answered_at": at(0), "ended_at": at(120), "sip_status": 200, "two_way_s": 100.0},
        {"leg_id": 2, "role": "seat", "number": "8001", "name": "李坐席", "started_at": at(5), "answered_at": at(12),
         "accepted_at": at(13), "ended_at": at(50), "sip_status": 200, "two_way_s": 35.0},
        *({"leg_id": 3, "role": "specialist", "number": number, "name": name, "started_at": at(begun),
           "answered_at": at(begun + 6) if is_served else None, "accepted_at": at(begun + 8) if is_served else None,
           "ended_at": at(110) if is_served else at(ended), "sip_status": 200 if is_served else 480,
           "two_way_s": facts.talked_s} for number, name, begun, ended in rung),
    ]  # fmt: skip
    return {
        "call_id": f"today-{place}", "order_ids": [], "direction": "in", "offered_at": at(0), "was_open": True,
        "caller_number": f"138{place:08}", "answered_at": at(0), "ended_at": at(120), "outcome": facts.outcome,
        "asked_for_person_at": at(5), "person_answered_at": at(12), "transfer": facts.transfer, "two_way_s": 100.0,
        "matter_id": "tax", "unit_id": facts.unit_id, "recordings": [], "legs": legs,
    }  # fmt: skip


def _first_call(order: Order) -> dict[str, Any]:
    at, end = order.opened_at.isoformat(), (order.opened_at + timedelta(seconds=70)).isoformat()
    caller = {"leg_id": 1, "role": "caller", "number": order.caller_number, "name": "", "started_at": at,
              "answered_at": at, "ended_at": end, "sip_status": 200, "two_way_s": 0.0}  # fmt: skip
    return {
        "call_id": f"in-{order.order_id}", "order_ids": [order.order_id], "direction": "in", "offered_at": at,
        "caller_number": order.caller_number, "answered_at": at, "ended_at": end, "outcome": "order", "two_way_s": 0.0,
        "recordings": [order.message_path], "legs": [caller],
    }  # fmt: skip


def _callback(order: Order, attempt: Attempt) -> dict[str, Any]:
    evidence, end = attempt.evidence, (attempt.ended_at or NOW).isoformat()
    assert evidence is not None
    is_served, talk_s = attempt.outcome is AttemptOutcome.REACHED, evidence.two_way_s

    def at(seconds: float) -> str:
        return (attempt.begun_at + timedelta(seconds=seconds)).isoformat()

    legs = [{"leg_id": 1, "role": "specialist", "number": "6111", "name": "纳税服务一", "started_at": at(0),
             "answered_at": at(8) if is_served else None, "accepted_at": at(12) if is_served else None,
             "ended_at": end, "sip_status": 200 if is_served else 487, "two_way_s": talk_s}]  # fmt: skip
    if is_served:
        legs.append({"leg_id": 2, "role": "caller", "number": order.callback_number, "name": "", "started_at": at(13),
                     "answered_at": at(25), "ended_at": end, "sip_status": 200, "two_way_s": talk_s})  # fmt: skip
    return {
        "call_id": evidence.call_id, "order_ids": [order.order_id], "direction": "callback", "offered_at": at(0),
        "caller_number": "", "answered_at": legs[0]["answered_at"], "ended_at": end, "two_way_s": talk_s,
        "outcome": "served" if is_served else "not_reached", "legs": legs,
        "recordings": [evidence.recording] if evidence.recording else [],
    }  # fmt: skip


# -- served ---------------------------------------------------------------------------------------------------------


def _make_accounts(folder: Path) -> None:
    accounts = Accounts(folder / "console" / "accounts.json", at_once)
    for account in ACCOUNTS.values():
        known = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        finished(accounts.add(replace(account, password_hash=known)))


async def _write_acts(web: WebConsole) -> None:
    await web.console.people.tokens.make(
        API, "city-platform", 365 * 86_400.0, scopes=("orders:read", "reports:read"), made_by="admin:陈管理"
    )
    for who, role, what, about, why, result in _ACTS:
        await web.console.audit.write(who, role, "127.0.0.1", what, about=about, why=why, result=result)


def main(folder: Path) -> None:
    """Serve it; the clock stands still, and a second factor has always the same secret, so that pictures are alike."""
    (folder / "console").mkdir(parents=True, exist_ok=True)
    _make_accounts(folder)
    setattr(console_site, "SystemClock", lambda: MovableClock(NOW, monotonic=lambda: 0.0))  # noqa: B010 - not its type
    setattr(pyotp, "random_base32", lambda: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")  # noqa: B010
    serve(folder, build(folder / "sample"), _write_acts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
