"""The polite check of a unit's numbers, in virtual time: each is rung in turn, a sentence is said, and it is kept."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock as VirtualTime

import config
from callback_scheduler.orders.actor import Actor
from ivr.calls.cdr import LegRecord, PartyRole
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.refused import OperationRefused
from ivr.speech.prompts import Prompt
from node.operations.number_check import CheckResult, NumberCheck, result_of
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site, load_site
from tests.fakes.event_log import EventLog
from tests.fakes.ledger import FakeLedger
from tests.fakes.line import Behaviour, FakePrompts, FakeSlot

EIGHT = datetime(2026, 3, 11, 8, 0, tzinfo=SHANGHAI)
MARKET = ("6101", "6102", "6103")
BOSS = Actor.read("supervisor:王督办")


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


class Lines:
    """A pool that always has a line, while `free` says so."""

    def __init__(self, time: VirtualTime, phones: dict[str, Behaviour], log: EventLog) -> None:
        self.time, self.phones, self.log, self.free = time, phones, log, 3
        self.slots: list[FakeSlot] = []

    def take(self, for_callback: bool = False) -> FakeSlot:
        assert for_callback
        assert all(slot.is_released for slot in self.slots), "two numbers are rung at once"
        self.slots.append(FakeSlot(self.time, self.phones, self.log))
        self.slots[-1].live.clear()
        return self.slots[-1]

    def free_for_callbacks(self) -> int:
        return self.free


class Check:
    """A node that does nothing but check numbers."""

    def __init__(self, site: Site, folder: Path, phones: dict[str, Behaviour], at: datetime = EIGHT) -> None:
        self.time = VirtualTime()
        self.ledger, self.presence = FakeLedger(), Presence()
        self.ledger.time = self.time
        self.lines = Lines(self.time, phones, self.ledger.log)
        clock = MovableClock(at, monotonic=self.time.seconds)
        office = Office(site.settings, site.directory, site.calendar, site.hours, clock)
        services = CallServices(
            self.time, clock, FakePrompts(), site.settings.phone, self.presence, folder,  # type: ignore[arg-type]
            lambda number: (f"sip:{number}@127.0.0.1", "12345"), self.time.seconds,
        )
        orders = Orders(self.ledger, office)  # type: ignore[arg-type]
        self.callbacks = OutgoingCalls(services, office, orders, self.ledger, self.lines)  # type: ignore[arg-type]
        ledger: Any = self.ledger
        self.check = NumberCheck(
            self.callbacks, office=office, presence=self.presence, ledger=ledger, clock=clock
        )
        self.results: list[dict[str, Any]] = []
        self.refusals: list[str] = []

    def begin(self, unit_id: str = "market") -> Check:
        ensureDeferred(self.check.run(unit_id, BOSS)).addCallbacks(self.results.extend, self._refused)
        return self

    def _refused(self, failure: Any) -> None:
        failure.trap(OperationRefused)
        self.refusals.append(failure.value.key)

    def run(self, seconds: float) -> Check:
        for _ in range(round(seconds / 0.05)):
            self.time.advance(0.05)
        return self

    @property
    def said(self) -> list[str]:
        """What the phones of all numbers heard, in order."""
        return [file for slot in self.lines.slots for leg in slot.rung for file in slot.played(leg)]


def test_each_number_is_rung_in_turn_and_the_journal_keeps_what_came_of_it(site: Site, tmp_path: Path) -> None:
    phones = {"6101": Behaviour(3.0), "6102": Behaviour(refuses_with=486), "6103": Behaviour(refuses_with=404)}
    check = Check(site, tmp_path, phones).begin().run(60)
    assert [(each["number"], each["result"]) for each in check.results] == [
        ("6101", "answered"), ("6102", "busy"), ("6103", "wrong_number"),
    ]  # fmt: skip
    assert [each["tier"] for each in check.results] == [1, 1, 2]
    assert check.results[0]["seconds"] == pytest.approx(3.0, abs=0.2)
    assert check.said == [Prompt.NUMBER_CHECK.value]
    (kept,) = check.ledger.of_type("numbers_checked")
    assert (kept["unit_id"], kept["who"], kept["results"]) == ("market", str(BOSS), check.results)
    assert all(slot.is_released and not slot.live for slot in check.lines.slots)


def test_a_check_under_way_tells_how_far_it_is_and_its_end_stays_to_be_seen(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(3.0)))
    assert check.check.last("market") is None
    check.begin().run(5)
    under_way = check.check.last("market")
    assert under_way is not None
    assert (under_way["is_running"], under_way["numbers"], under_way["who"]) == (True, 3, str(BOSS))
    assert len(under_way["results"]) < 3
    check.run(60)
    assert check.check.last("market") == {
        "at": EIGHT, "who": str(BOSS), "numbers": 3, "results": check.results, "is_running": False,
    }  # fmt: skip
    assert check.check.last("tax") is None


def test_a_check_runs_until_its_results_are_on_disk(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0)))
    check.ledger.hold("numbers_checked")
    check.begin().run(60)
    under_way = check.check.last("market")
    assert under_way is not None
    assert (under_way["is_running"], len(under_way["results"]), check.results) == (True, 3, [])
    check.ledger.let_go()
    over = check.check.last("market")
    assert over is not None
    assert (over["is_running"], over["results"]) == (False, check.results)


def test_a_check_that_cannot_be_kept_is_refused_and_the_one_before_is_the_last(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0)))
    fails_to_be_kept(check)
    assert check.check.last("market") is None
    good = check.begin().run(60).check.last("market")
    fails_to_be_kept(check)
    assert check.check.last("market") == good


def fails_to_be_kept(check: Check) -> None:
    check.ledger.hold("numbers_checked")
    check.begin().run(60).ledger.let_go(is_full=True)
    assert check.refusals.pop() == "check.not_stored"
    check.ledger.is_full = False


def test_a_phone_nobody_answers_rings_no_longer_than_any_other(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, {"6101": Behaviour(None), "6102": Behaviour(1.0), "6103": Behaviour(1.0)}).begin()
    check.run(60)
    assert [each["result"] for each in check.results] == ["no_answer", "answered", "answered"]
    assert check.results[0]["seconds"] == pytest.approx(site.settings.phone.ring_s, abs=0.2)


def test_who_hangs_up_on_the_sentence_has_answered(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0, hangs_up_after_s=0.5))).begin().run(60)
    assert [each["result"] for each in check.results] == ["answered"] * 3


def test_a_number_that_talks_with_us_is_not_rung(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0)))
    check.presence.take("6102", "a call")
    check.begin().run(60)
    assert [each["result"] for each in check.results] == ["answered", "in_call", "answered"]
    assert not any(slot.legs_of("6102") for slot in check.lines.slots)


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 11, 7, 59, tzinfo=SHANGHAI),
        datetime(2026, 3, 11, 18, 0, tzinfo=SHANGHAI),
        datetime(2026, 3, 14, 10, 0, tzinfo=SHANGHAI),  # a Saturday
        datetime(2026, 2, 18, 10, 0, tzinfo=SHANGHAI),  # Spring Festival
    ],
)
def test_nobody_is_rung_outside_8_to_18_of_workdays(site: Site, tmp_path: Path, at: datetime) -> None:
    check = Check(site, tmp_path, {}, at).begin()
    assert check.refusals == ["check.not_now"]
    assert not check.lines.slots


def test_a_make_up_saturday_is_a_workday(site: Site, tmp_path: Path) -> None:
    at = datetime(2026, 2, 14, 9, 0, tzinfo=SHANGHAI)
    assert not Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0)), at).begin().refusals


def test_a_check_waits_for_no_line_that_live_callers_need(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0)))
    check.lines.free = 0
    assert check.begin().refusals == ["check.no_line"]
    check.lines.free = 1
    check.begin().run(0.5)
    check.lines.free = 0
    check.run(30)
    assert [each["result"] for each in check.results] == ["answered", "no_line", "no_line"]


def test_a_unit_is_checked_once_at_a_time_and_must_exist(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(1.0))).begin()
    assert check.begin().refusals == ["check.runs_already"]
    assert check.begin("nonsense").refusals == ["check.runs_already", "check.unknown_unit"]
    check.run(60)
    assert not check.begin().refusals[2:]


def test_a_node_that_stops_ends_the_check_and_gives_the_line_back(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(None))).begin().run(2)
    stopped = ensureDeferred(check.callbacks.stop())
    check.run(5)
    assert stopped.called
    assert [each["result"] for each in check.results][1:] == ["no_line", "no_line"]
    assert all(slot.is_released for slot in check.lines.slots)


@pytest.mark.parametrize(
    ("sip_status", "result"),
    [(486, "busy"), (600, "busy"), (404, "wrong_number"), (484, "wrong_number"), (480, "no_answer"),
     (403, "refused"), (603, "refused"), (503, "no_service"), (0, "no_service")],
)  # fmt: skip
def test_the_answer_of_the_network_says_what_is_wrong(sip_status: int, result: str) -> None:
    leg = LegRecord(1, PartyRole.SPECIALIST, "6101", sip_status=sip_status, cause=f"remote {sip_status}")
    assert result_of(leg) is CheckResult(result)


def test_a_unit_is_not_checked_again_at_once(site: Site, tmp_path: Path) -> None:
    check = Check(site, tmp_path, dict.fromkeys(MARKET, Behaviour(refuses_with=486))).begin().run(20)
    assert len(check.results) == 3
    assert check.begin().refusals == ["check.just_now"]
    check.run(45)
    assert not check.begin().refusals[1:]
