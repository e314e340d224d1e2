"""The report from a real store: what it reads is what happened, as a recount of the raw events finds it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from openpyxl import load_workbook

import hotline
from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.call_facts import CallFacts, SurveyFacts, call_facts
from callback_scheduler.orders.fields import attempt_fields, to_payload
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence
from callback_scheduler.orders.verdict import facts_of
from callback_scheduler.reports import command as report_command
from callback_scheduler.reports.calls import total_calls
from callback_scheduler.reports.orders import By, total
from callback_scheduler.reports.reader import middle, order_facts, read_material
from callback_scheduler.reports.report import Counted, Question, Report, make_report
from callback_scheduler.reports.rules import rule_named
from callback_scheduler.store import slices as stretches
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from config.hours import HoursSettings
from processes import forked as beside
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.hours import Hours
from routing.working_time import WorkingTime
from tests.redis.nodes import EVENING, draft, wait_until

CALENDAR = Calendar()
DUE = datetime(2026, 3, 4, 10, 0, tzinfo=SHANGHAI)
LATER = DUE + timedelta(hours=6)
UNITS = ("tax", "market", "fire")
FAILURES = tuple(outcome for outcome in AttemptOutcome if outcome is not AttemptOutcome.REACHED)
IN_VAIN = tuple(outcome for outcome in AttemptOutcome if outcome.counts_as_tried)


def happened(event_type: str, payload: dict[str, Any], at: datetime) -> JournalEvent:
    return JournalEvent.new(event_type, payload, at)


def life(number: int, chance: random.Random) -> Iterator[JournalEvent]:
    """Yield the events of one order: attempts that fail in every way, talk in time and too late, typed reports."""
    order_id = f"2603031{number:04d}"
    made = draft(f"138{number:08d}", unit_id=chance.choice(UNITS), after=timedelta(seconds=number))
    yield happened("order_opened", to_payload(made, order_id), made.opened_at)
    state, at = "opened", DUE - timedelta(minutes=chance.randrange(30, 90))
    for turn in range(chance.randrange(0, 7)):
        at += timedelta(minutes=chance.randrange(1, 30))
        attempt = Attempt(attempt_id=f"{order_id}-a{turn + 1}", begun_at=at, by="timetable", number="138")
        yield moved(order_id, state, "calling_back", at, attempt=attempt)
        ended = finished(attempt, chance)
        state = "reached" if ended.outcome is AttemptOutcome.REACHED else "not_reached"
        yield moved(order_id, "calling_back", state, at + timedelta(minutes=1), attempt=ended)
        if state == "reached":
            return
    if chance.random() < 0.3:
        yield moved(order_id, state, "self_reported", at, {"self_reported_at": at.isoformat()})
        state = "self_reported"
    if chance.random() < 0.2:
        yield moved(order_id, state, "closed", at)


def finished(attempt: Attempt, chance: random.Random) -> Attempt:
    """Every third talk is a talk; some are called so and are too short, which only the evidence knows."""
    at = attempt.begun_at
    (outcome,) = chance.choices([AttemptOutcome.REACHED, *FAILURES, *IN_VAIN], [9] + [1] * len(FAILURES) + [3] * 4)
    rung = outcome.counts_as_tried or outcome is AttemptOutcome.REACHED
    evidence = Evidence(
        call_id="c",
        unit_number="6101",
        unit_answered_at=at + timedelta(seconds=5) if rung or chance.random() < 0.5 else None,
        accepted_at=at + timedelta(seconds=8) if rung else None,
        enterprise_answered_at=at + timedelta(seconds=15) if outcome is AttemptOutcome.REACHED else None,
        talk_began_at=at + timedelta(seconds=16) if outcome is AttemptOutcome.REACHED else None,
        two_way_s=chance.choice([9.9, 10.0, 60.0]) if outcome is AttemptOutcome.REACHED else 0.0,
    )
    if evidence.two_way_s == 9.9:
        outcome = AttemptOutcome.TALK_TOO_SHORT
    return replace(
        attempt, outcome=outcome, ended_at=at + timedelta(minutes=1),
        enterprise_rung_at=at + timedelta(seconds=9) if rung else None,
        evidence=evidence if chance.random() < 0.9 or rung else None,
    )  # fmt: skip


def moved(
    order_id: str, before: str, after: str, at: datetime, changes: dict[str, Any] | None = None, **more: Attempt
) -> JournalEvent:
    payload = {
        "order_id": order_id, "event": after, "who": "timetable", "why": "", "state_from": before, "state_to": after,
        "is_open": after not in {"reached", "closed"}, "changes": changes or {},
    }  # fmt: skip
    return happened("order_changed", payload | {name: attempt_fields(one) for name, one in more.items()}, at)


def recount(events: list[JournalEvent], at: datetime) -> Counter[str]:
    """Count the classes of orders from the raw events alone, without anything the report is made of."""
    attempts: dict[str, dict[str, dict[str, Any]]] = {}
    typed: dict[str, datetime] = {}
    for event in (event for event in events if event.event_type.startswith("order_")):
        order_id = event.payload["order_id"]
        of_order = attempts.setdefault(order_id, {})
        if "attempt" in event.payload:
            of_order[event.payload["attempt"]["attempt_id"]] = event.payload["attempt"]
        if event.payload.get("state_to") == "self_reported":
            typed[order_id] = event.at
    return Counter(_class(list(of_order.values()), typed.get(order_id), at) for order_id, of_order in attempts.items())


def _class(attempts: list[dict[str, Any]], typed_at: datetime | None, at: datetime) -> str:
    proofs = [attempt["evidence"] for attempt in attempts if attempt["evidence"]]
    talks = [
        datetime.fromisoformat(proof["talk_began_at"])
        for proof in proofs
        if proof["accepted_at"] and proof["enterprise_answered_at"] and proof["two_way_s"] >= 10
    ]
    talks = [talk for talk in talks if talk <= at]
    vain = {"enterprise_busy", "enterprise_no_answer", "enterprise_refused", "talk_too_short"}
    tries = [
        attempt for attempt in attempts
        if attempt["outcome"] in vain and datetime.fromisoformat(attempt["enterprise_rung_at"]) < DUE
    ]  # fmt: skip
    was_typed = typed_at is not None and typed_at <= at and typed_at < DUE
    if any(talk < DUE for talk in talks):
        return "on_time"
    if at < DUE:
        return "self_reported" if was_typed else "not_yet_due"
    if len(tries) >= 3:
        return "attempted"
    if talks:
        return "late"
    return "self_reported" if was_typed else "missed"


def fill(store: Store, events: list[JournalEvent]) -> None:
    numbered = list(enumerate(events, start=store.applied("j1") + 1))
    for first in range(0, len(numbered), 100):  # as the applier does: Redis answers within its second
        assert {outcome.status for outcome in store.apply("j1", numbered[first : first + 100])} == {"applied"}


def asked(store: Store, at: datetime, by: By = By.UNIT) -> Report:
    question = Question(at, rule_named("own", CALENDAR), EVENING.date(), by=by)
    working = WorkingTime(Hours(HoursSettings()), CALENDAR)
    return make_report(question, read_material(store, question.since, at), working, {})


@pytest.mark.parametrize("seed", range(5))
def test_a_recount_from_the_raw_events_finds_the_same_classes(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    events = [event for number in range(1, 121) for event in life(number, chance)]
    fill(store, events)
    for minutes in (-45, -10, 0, 5, 60, 360):
        at = DUE + timedelta(minutes=minutes)
        found = total(asked(store, at).orders["after_hours"]).verdicts
        assert {verdict.value: n for verdict, n in found.items()} == recount(events, at), minutes
    assert len(recount(events, LATER)) == 5  # the histories have something of everything


def test_the_short_form_of_the_store_tells_what_the_orders_tell(store: Store) -> None:
    chance = random.Random(7)
    fill(store, [event for number in range(1, 81) for event in life(number, chance)])
    lines = list(store.records.facts("order", EVENING, LATER))
    assert len(lines) == 80
    assert [order_facts(line) for line in lines] == [facts_of(order) for order in reversed(store.orders.latest(100))]


def test_a_long_period_is_read_in_stretches_without_loss_or_repetition(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "_ABOUT", 3)
    opened_at = [EVENING + timedelta(minutes=minute) for minute in (0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 4, 4, 5)]
    drafts = [draft(f"138{n:08d}", after=at - EVENING) for n, at in enumerate(opened_at)]
    numbers = [f"2603031{n:04d}" for n in range(len(drafts))]
    pairs = zip(drafts, numbers, strict=True)
    fill(store, [happened("order_opened", to_payload(one, number), one.opened_at) for one, number in pairs])
    assert [line[0] for line in store.records.facts("order", EVENING, LATER)] == numbers
    since, until = EVENING + timedelta(minutes=1), EVENING + timedelta(minutes=4)
    some = [line[0] for line in store.records.facts("order", since, until)]
    assert some == numbers[5:9]


LEG = {"role": "specialist", "accepted_at": "2026-03-03T20:00:09+08:00", "two_way_s": 61.0}
CALL = {
    "call_id": "c1", "offered_at": "2026-03-03T20:00:00+08:00", "ended_at": "2026-03-03T20:02:00+08:00",
    "was_open": True, "unit_id": "tax", "asked_for_person_at": "2026-03-03T20:00:04+08:00",
    "person_answered_at": "2026-03-03T20:00:09+08:00", "transfer": "accepted", "outcome": "served",
    "steps": ["seat", "survey"], "legs": [{"role": "caller", "accepted_at": None, "two_way_s": 99.0}, LEG],
}  # fmt: skip


def test_calls_and_ratings_are_read_in_their_short_form(store: Store) -> None:
    callback = CALL | {"call_id": "c2", "was_open": False, "direction": "callback", "legs": []}
    fill(store, [
        happened("call_offered", {"call_id": "c0", "caller": "138"}, EVENING),  # goes on
        happened("call_ended", CALL, EVENING),
        happened("call_ended", callback, EVENING),
        happened("survey_answered", {"call_id": "c1", "level": 5, "is_solved": True, "unit_id": "tax"}, EVENING),
        happened("survey_answered", {"call_id": "c2", "level": 1, "is_solved": None, "unit_id": "tax"}, EVENING),
    ])  # fmt: skip
    material = read_material(store, EVENING.date(), LATER)
    offered_ms = round(EVENING.timestamp() * 1000)
    asked_ms, answered_ms = offered_ms + 4000, offered_ms + 9000
    assert list(material.calls) == [
        CallFacts(offered_ms, True, "tax", "served", 120_000, asked_ms, answered_ms, "accepted", 61.0, True),
        CallFacts(offered_ms, False, "tax", "served", 120_000, asked_ms, answered_ms, "none", 0, True),
    ]
    assert sorted(material.surveys) == [
        SurveyFacts(offered_ms, "tax", 1, None), SurveyFacts(offered_ms, "tax", 5, True),
    ]  # fmt: skip
    records = {call["call_id"]: call for call in store.records.calls() if call["call_id"] != "c0"}
    assert sorted(map(call_facts, records.values())) == sorted(read_material(store, EVENING.date(), LATER).calls)
    rates = total_calls(asked(store, LATER).calls).rates()
    assert str(rates["three_way_rate"]) == "100.00%（1/1）"
    assert str(rates["participation_rate"]) == "100.00%（2/2）"


def test_the_short_form_of_a_call_goes_with_the_call(store: Store, server: EmbeddedRedis) -> None:
    few = Store.connect(server.url, calls_kept=2)
    fill(few, [happened("call_ended", CALL | {"call_id": f"c{n}"}, EVENING + timedelta(minutes=n)) for n in range(4)])
    assert len(list(few.records.facts("call", EVENING, LATER))) == 2
    assert few._redis.hlen(few.key("call_facts")) == 2
    few.close()


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """The folder of a node whose Redis runs and holds a morning's orders."""
    server = EmbeddedRedis(tmp_path / "var" / "redis")
    server.start()
    store = Store.connect(server.url)
    chance = random.Random(1)
    fill(store, [event for number in range(1, 61) for event in life(number, chance)])
    store.close()
    yield tmp_path / "var"
    server.stop()


def said(capsys: pytest.CaptureFixture[str], data_dir: Path, *arguments: str) -> str:
    command = ["report", "--data-dir", str(data_dir), "--at", LATER.isoformat(), *arguments]
    capsys.readouterr()
    assert hotline.main(command) == 0
    return capsys.readouterr().out


def test_the_command_prints_a_table_with_causes_and_timelines(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = said(capsys, data_dir)
    assert "次紧急" in shown
    assert "按时回复率" in shown
    assert "时限前" in shown
    assert "→ 03-04 10:00:00 回电时限" in shown
    listed = said(capsys, data_dir, "--misses").count("时限 03-04 10:00")
    assert listed == shown.count("时限 03-04 10:00") + int(shown.split("其余 ")[1].split(" 件")[0])


def test_the_command_answers_in_csv_json_and_xlsx(
    data_dir: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    everything = json.loads(said(capsys, data_dir, "--json", "--by", "day", "--unit", "tax", "--from", "2026-03-01"))
    assert list(everything["orders"]["after_hours"]["rows"]) == ["2026-03-04"]
    assert all(miss["unit_id"] == "tax" and miss["timeline"] for miss in everything["misses"])
    written = said(capsys, data_dir, "--csv")
    assert written.startswith("\ufeff类别,承办单位,工单,按时")
    assert said(capsys, data_dir, "--csv", "--misses").startswith("\ufeff工单编号")
    said(capsys, data_dir, "--xlsx", str(tmp_path / "r.xlsx"))
    assert (tmp_path / "r.xlsx").read_bytes().startswith(b"PK")


@pytest.mark.parametrize("arguments", [("--json",), ("--json", "--by", "day"), ("--csv", "--misses"), ()])
def test_many_orders_are_counted_by_two_processes_to_the_same(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    by_one = said(capsys, data_dir, *arguments)
    begin, begun = beside.begin, []

    def watched(work: Callable[[], Counted]) -> Callable[[], Counted]:
        begun.append(work)
        return begin(work)

    monkeypatch.setattr(beside, "begin", watched)
    monkeypatch.setattr(report_command, "_MANY", 60)
    assert said(capsys, data_dir, *arguments) == by_one
    assert len(begun) == 1


def test_two_halves_share_nothing_and_leave_nothing_out(store: Store) -> None:
    chance = random.Random(3)
    fill(store, [event for number in range(1, 51) for event in life(number, chance)])
    calls = ((CALL | {"call_id": f"c{n}"}, EVENING + timedelta(seconds=n)) for n in range(40))
    fill(store, [happened("call_ended", call, at) for call, at in calls])
    cut_at = middle(store, EVENING.date(), LATER, worth=50)
    assert cut_at == EVENING + timedelta(seconds=26)
    assert middle(store, EVENING.date(), LATER, worth=51) is None
    whole = read_material(store, EVENING.date(), LATER)
    earlier = read_material(store, EVENING.date(), LATER, before=cut_at)
    later = read_material(store, EVENING.date(), LATER, after=cut_at)
    for all_of, first_half, second_half in zip(whole, earlier, later, strict=True):
        assert [*first_half, *second_half] == list(all_of)
    assert len(list(read_material(store, EVENING.date(), LATER, before=cut_at).orders)) == 25


def test_what_the_process_beside_raises_is_raised_here() -> None:
    def refuses() -> None:
        raise StoreUnavailable("Redis went away")

    with pytest.raises(StoreUnavailable, match="Redis went away"):
        beside.begin(refuses)()
    with pytest.raises(RuntimeError, match="ended with -9"):
        beside.begin(lambda: os.kill(os.getpid(), signal.SIGKILL))()


def test_the_process_beside_dies_with_a_killed_one(tmp_path: Path) -> None:
    script = (
        "import os, time; from pathlib import Path; from processes import forked\n"
        f"def work(): Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(600)\n"
        "forked.begin(work)()"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        parent.kill()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_another_rule_is_asked_without_touching_history(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = json.loads(said(capsys, data_dir, "--json"))["orders"]["after_hours"]["total"]
    city = json.loads(said(capsys, data_dir, "--json", "--rule", "city-24h"))["orders"]["after_hours"]["total"]
    assert city["orders"] == own["orders"]
    assert city["missed"] == 0
    assert city["on_time"] >= own["on_time"] + own["late"] > own["on_time"]
    assert json.loads(said(capsys, data_dir, "--json"))["orders"]["after_hours"]["total"] == own


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--unit", "nowhere"), "no unit is called 'nowhere'; there are market, tax"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "--to 2026-03-01 lies before --from 2026-03-02"),
        (("--xlsx", "/nowhere/r.xlsx"), "/nowhere/r.xlsx cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_answered_is_said(
    data_dir: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    assert hotline.main(["report", "--data-dir", str(data_dir), "--at", LATER.isoformat(), *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_without_a_running_node_it_is_said_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotline.main(["report", "--data-dir", str(tmp_path)]) == 2
    assert "is `hotline serve` up with this data_dir" in capsys.readouterr().err


def test_exported_times_are_dates_in_shanghai_time_that_a_clerk_can_sort(
    data_dir: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, *rows = csv.reader(io.StringIO(said(capsys, data_dir, "--csv", "--misses").lstrip("\ufeff")))
    assert rows
    for row in rows:
        assert re.fullmatch(r"2026-03-03 20:0\d", row[3]), row
        assert row[4] == "2026-03-04 10:00"
    said(capsys, data_dir, "--xlsx", str(tmp_path / "r.xlsx"))
    sheet = load_workbook(tmp_path / "r.xlsx")["逾期工单"]
    due = [row[4] for row in sheet.iter_rows(min_row=2)]
    assert {(cell.value, cell.is_date, cell.number_format) for cell in due} == {
        (datetime(2026, 3, 4, 10, 0), True, "yyyy-mm-dd hh:mm")  # noqa: DTZ001 - a workbook knows no zones
    }
