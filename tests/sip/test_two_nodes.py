"""Two nodes on one real Redis: one is stopped for 40 s in mid-callback and woken, and no enterprise is called twice.

These tests take real time because they are about it: a lease runs by the clock of Redis. Both ways of being stopped,
the node alone and all of its machine, and three moments each, are waited for side by side.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

import hotline
from demo.exchange import PhoneExchange
from demo.phone import Phone
from demo.service import Service
from demo.switchboard import Switchboard
from ivr.line.messages import LegAnswered, LegEnded, LegIncoming
from routing.clock import SHANGHAI
from tests.sip.house import FAST_SPEECH, until
from tests.sip.ports import free_port
from tests.sip.processes import dying_with_us
from tests.sip.services import start_service

pytestmark = pytest.mark.sip

EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=SHANGHAI)
NINE = datetime(2026, 3, 11, 9, 0, tzinfo=SHANGHAI)
STOPPED_S = 40.0
SAFE_REDIAL = timedelta(minutes=15)
# Patient enough that no timer ends a call which the woken node must give up for its lost lease.
PATIENT = {"ring_s": 180, "ring_all_s": 180, "next_tier_after_s": 120, "enterprise_ring_s": 180, "accept_key_s": 180,
           "first_digit_s": 3, "survey_enabled": False}
# The other node dials again within its own patience: where no enterprise was rung, after a second.
LADDER = {"lease_s": 30, "busy_retry_s": 1, "safe_redial_s": SAFE_REDIAL.total_seconds(), "sweep_every_s": 1}


@contextmanager
def real_redis(folder: Path) -> Iterator[str]:
    """Run a redis-server of this machine and give its address; a skip that names what is missing otherwise."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("NOT TESTED with two nodes: there is no redis-server on PATH (apt install redis-server)")
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes"]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(dying_with_us(command), stdout=log, stderr=log)
    try:
        until("redis-server", lambda: b"eady to accept" in (folder / "redis.log").read_bytes())
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


class Pair:
    """Two nodes, their trunk, three enterprises with an order each, and the specialists who owe them."""

    def __init__(self, folder: Path, running: ExitStack, whole_machine: bool) -> None:
        self.whole_machine = whole_machine
        url = running.enter_context(real_redis(folder))
        self.exchange = running.enter_context(PhoneExchange(folder))
        self.trunk = running.enter_context(Switchboard())

        def node(number: int) -> Service:
            own = folder / str(number)
            own.mkdir()
            changes: dict[str, Any] = {
                "node_number": number, "redis_url": url, "phone": PATIENT, "ladder": LADDER, "prompts": FAST_SPEECH,
            }  # fmt: skip
            return running.enter_context(start_service(own, self.trunk.port, EVENING, changes))

        self.first, self.other = node(1), node(2)
        running.callback(self._let_go_on)
        # rung: the unit rings. ringing: the enterprise does. talking: it is joined with the specialist.
        self.rung, self.ringing, self.talking = (
            self._phone(f"1390000000{n}", tone) for n, tone in enumerate((430, 610, 790), 1)
        )
        self.slow, self.of_ringing, self.of_talking = (
            self._phone(number, tone) for number, tone in (("6111", 1060), ("6121", 1150), ("6101", 1230))
        )
        self.orders = {phone: self._leave_request(phone, key) for phone, key in (
            (self.rung, "2"), (self.ringing, "3"), (self.talking, "1"),
        )}

    def _phone(self, number: str, tone_hz: int) -> Phone:
        phone = self.exchange.phone(number, number, tone_hz=tone_hz)
        self.trunk.connect(number, phone.sip_port)
        return phone

    def _leave_request(self, enterprise: Phone, key: str) -> str:
        """Let an enterprise ring at night and hang up half way; return the number of its order."""
        enterprise.dial(self.first.uri)
        enterprise.wait_answered(15)
        enterprise.press(key)
        self.until_step(self.first, "number")
        enterprise.hangup()
        self.first.wait_idle()
        orders = self.first.ask("orders")
        return str(next(order["order_id"] for order in orders if order["callback_number"] == enterprise.number))

    def until_step(self, node: Service, step: str) -> None:
        until(f"step {step}", lambda: any(call["step"] == step for call in node.ask("status")["calls"]), 30)

    def order(self, enterprise: Phone, node: Service | None = None) -> dict[str, Any]:
        return dict((node or self.other).ask("order", order_id=self.orders[enterprise]))

    # -- the morning --------------------------------------------------------------------------------------------------

    def come_to_the_moment(self) -> None:
        """Let the first node ring the three units, and stop it when each callback is at its moment."""
        for specialist in (self.of_ringing, self.of_talking):
            specialist.auto_answer(0.3, then_press="1", press_after_s=1.0)
        self.talking.auto_answer(0.3)
        self.first.set_clock(NINE)
        self.slow.wait_ringing(30)
        self.ringing.wait_ringing(30)
        self.until_step(self.first, "talk")
        self._signal(signal.SIGSTOP)
        self.stopped_at = time.monotonic()
        assert [self.calls_to(one) for one in (self.rung, self.ringing, self.talking)] == [0, 1, 1]

    def _processes(self) -> list[psutil.Process]:
        node = psutil.Process(self.first.pid)
        return [*(node.children(recursive=True) if self.whole_machine else ()), node]

    def _signal(self, number: int) -> None:
        for process in self._processes():
            os.kill(process.pid, number)

    def _let_go_on(self) -> None:
        if psutil.pid_exists(self.first.pid):
            self._signal(signal.SIGCONT)

    def let_the_other_dial(self) -> None:
        """Wake the other node's timetable; the colleague of the specialist whose phone still rings has time by now."""
        self.colleague = self._phone("6112", 1310).auto_answer(0.3, then_press="1", press_after_s=1.0)
        self.rung.auto_answer(0.3)
        self.talking.talk()
        self.of_talking.talk()
        self.other.set_clock(NINE)

    def be_taken_over(self) -> None:
        """Wait until the other node has all three orders, and talks with the enterprise that had not been rung."""
        self.rung.wait_answered(60)
        self.until_step(self.other, "talk")
        self.rung.talk()
        self.colleague.talk()
        until("all leases to be over", lambda: all(
            self.order(one)["attempts"][0]["outcome"] == "unknown" for one in self.orders
        ), 60)
        self.before_waking = [self.order(one)["attempts"] for one in (self.rung, self.ringing, self.talking)]

    def pick_up_late(self) -> None:
        """Let the phones that have rung all the time be picked up."""
        self.slow.pick_up()
        self.ringing.pick_up()

    def wake(self) -> None:
        self.stopped_s = time.monotonic() - self.stopped_at
        self._signal(signal.SIGCONT)

    def come_to_the_end(self) -> None:
        """The late specialist presses 1, the others talk on and hang up, and all is written."""
        self.slow.wait_answered(15)
        self.slow.press("1")
        assert self.slow.wait_ended(20).by_remote
        assert self.ringing.wait_ended(30).by_remote
        until("ten seconds of talk", lambda: self.first.events("evidence_fenced_off"), 30)
        self.of_talking.hangup()
        self.colleague.hangup()
        self.talking.wait_ended(30)
        self.rung.wait_ended(30)
        until("evidence", lambda: {self.order(one)["state"] for one in (self.talking, self.rung)} == {"reached"}, 30)
        for node in (self.first, self.other):
            node.wait_idle(30)

    # -- what is asked ------------------------------------------------------------------------------------------------

    def calls_to(self, enterprise: Phone) -> int:
        return self.trunk.count("INVITE", enterprise.number)

    def verified(self, node: Service) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, hotline.__file__, "verify", "--config", str(node.folder / "hotline.yaml"),
                   "--data-dir", str(node.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """Both pairs, after the first node of each was stopped, and woken, and all has come to its end."""
    with ExitStack() as running:
        made = {how: Pair(tmp_path_factory.mktemp(how), running, how == "machine") for how in ("node", "machine")}
        for step in (Pair.come_to_the_moment, Pair.let_the_other_dial, Pair.be_taken_over):
            _each(made, step)
        time.sleep(max(0.0, max(one.stopped_at for one in made.values()) + STOPPED_S - time.monotonic()))
        made["node"].pick_up_late()  # nobody hears it yet
        time.sleep(1.0)
        _each(made, Pair.wake)
        made["machine"].pick_up_late()
        _each(made, Pair.come_to_the_end)
        yield made


def _each(pairs: dict[str, Pair], step: Callable[[Pair], None]) -> None:
    for pair in pairs.values():
        step(pair)


@pytest.fixture(params=["node", "machine"])
def pair(request: pytest.FixtureRequest, pairs: dict[str, Pair]) -> Pair:
    return pairs[request.param]


def attempts(order: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["attempt_id"].rpartition("-")[2], one["outcome"]) for one in order["attempts"]]


def test_no_enterprise_is_called_twice(pair: Pair) -> None:
    assert pair.stopped_s >= STOPPED_S
    enterprises = (pair.rung, pair.ringing, pair.talking)
    assert [pair.calls_to(one) for one in enterprises] == [1, 1, 1], [one.story() for one in enterprises]
    # of its two or three calls one was its own, in the evening
    assert [len(one.events(LegAnswered)) for one in enterprises] == [2, 2, 2]


def test_an_attempt_that_was_taken_over_stays_as_it_was_ended(pair: Pair) -> None:
    before_rung, before_ringing, _ = pair.before_waking
    rung, ringing = pair.order(pair.rung), pair.order(pair.ringing)
    assert attempts(rung) == [("a1", "unknown"), ("a2", "reached")]
    assert attempts(ringing) == [("a1", "unknown")]
    assert (rung["attempts"][0], ringing["attempts"]) == (before_rung[0], before_ringing)
    assert len(pair.first.events("lease_lost")) >= 3


def test_the_talk_that_went_on_over_the_lost_lease_is_proved_all_the_same(pair: Pair) -> None:
    order = pair.order(pair.talking)
    assert attempts({"attempts": pair.before_waking[2]}) == [("a1", "unknown")]
    assert attempts(order) == [("a1", "reached")]
    evidence = order["attempts"][0]["evidence"]
    assert evidence["two_way_s"] >= 10
    # its lines heard the talk begin while the node stood still
    assert pair.whole_machine or datetime.fromisoformat(evidence["talk_began_at"]) < NINE + timedelta(seconds=30)
    assert any(event["payload"].get("why", "").startswith("补记") for event in
               pair.other.ask("order_events", order_id=order["order_id"]))
    assert len(pair.first.events("evidence_fenced_off")) == 1


def test_both_nodes_say_the_same_and_both_journals_are_whole(pair: Pair) -> None:
    for enterprise in pair.orders:
        assert pair.order(enterprise, pair.first) == pair.order(enterprise, pair.other)
    for node in (pair.first, pair.other):
        done = pair.verified(node)
        assert (done.returncode, "not compared" in done.stdout) == (0, False), done.stdout + done.stderr


def test_whose_phone_had_rung_is_called_again_only_after_a_safe_time(pair: Pair) -> None:
    dial_after = datetime.fromisoformat(pair.order(pair.ringing)["dial_after"])
    assert dial_after >= NINE + SAFE_REDIAL
    for node in (pair.first, pair.other):
        node.set_clock(dial_after - timedelta(seconds=60))
    until("the second tier", lambda: any("second_tier" in step for step in pair.order(pair.ringing)["steps_done"]))
    assert (pair.calls_to(pair.ringing), pair.order(pair.ringing)["state"]) == (1, "not_reached")
    pair.ringing.auto_answer(0.3)
    for node in (pair.first, pair.other):
        node.set_clock(dial_after + timedelta(seconds=1))
    pair.ringing.wait_answered(40)
    pair.of_ringing.hangup()
    pair.ringing.wait_ended(30)
    assert pair.calls_to(pair.ringing) == 2
    assert len(pair.ringing.events(LegIncoming)) == len(pair.ringing.events(LegEnded)) - 1
