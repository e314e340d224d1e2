"""The event stream: numbers, what a reconnect gets, who hears what, and what becomes of slow viewers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock as VirtualTime

from console.http.events import GATHER_S, HEARTBEAT_S, LONGEST_LIFE_S, TOPICS, Hub, Viewer
from console.people.roles import Role

ALL = frozenset(TOPICS)
SUPERVISOR = Viewer(Role.SUPERVISOR)


class Browser:
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        self.got = ""
        self.is_closed = False

    def write(self, text: bytes) -> None:
        self.got += text.decode()

    def close(self) -> None:
        self.is_closed = True

    @property
    def events(self) -> list[str]:
        """The numbers n of what it heard, as published below."""
        return re.findall(r'"n": (\d+)', self.got)

    @property
    def last_id(self) -> str:
        return str(re.findall(r"^id: (.*)$", self.got, re.M)[-1])


class Turns(VirtualTime):
    """A clock that counts the turns of its reactor."""

    turn = 0

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:
        def begin() -> None:
            self.turn += 1
            callable(*args, **kw)

        return super().callLater(delay, begin)


class TimedBrowser(Browser):
    """Notes in which turn it was last sent something."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns, self.served_in = turns, 0

    def write(self, text: bytes) -> None:
        super().write(text)
        self.served_in = self._turns.turn


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


def happen(hub: Hub, time: VirtualTime, *numbers: int, topic: str = "call", unit_id: str = "") -> None:
    for number in numbers:
        hub.publish(topic, {"n": number, "unit_id": unit_id})
    settle(time)


def settle(time: VirtualTime) -> None:
    """Let everything that was published be sent."""
    for _ in range(50):
        time.advance(GATHER_S / 10)


def test_a_viewer_hears_what_happens_in_order_with_rising_numbers(time: VirtualTime) -> None:
    hub, browser = Hub(time), Browser()
    hub.join(browser, ALL, SUPERVISOR)
    happen(hub, time, 1, 2)
    happen(hub, time, 3)
    assert browser.events == ["1", "2", "3"]
    ids = [int(one.rpartition("-")[2]) for one in re.findall(r"^id: (.*)$", browser.got, re.M)]
    assert ids == sorted(set(ids))


def test_a_reconnect_misses_nothing_and_hears_nothing_twice(time: VirtualTime) -> None:
    hub, first = Hub(time), Browser()
    client = hub.join(first, ALL, SUPERVISOR)
    happen(hub, time, 1, 2)
    hub.leave(client)
    happen(hub, time, 3, 4)
    second = Browser()
    hub.join(second, ALL, SUPERVISOR, last_seen=first.last_id)
    happen(hub, time, 5)
    assert second.events == ["3", "4", "5"]
    assert "reset" not in second.got


def test_a_reconnect_that_breaks_in_the_middle_hears_the_rest_the_next_time(time: VirtualTime) -> None:
    hub, first, second, third = Hub(time), Browser(), Browser(), Browser()
    hub.leave(hub.join(first, ALL, SUPERVISOR))
    happen(hub, time, 1, 2, 3)
    hub.leave(hub.join(second, ALL, SUPERVISOR, last_seen=first.last_id))
    arrived = second.got[: second.got.index('"n": 1')].rpartition("id: ")[0]  # and no more than this
    last_id = re.findall(r"^id: (.*)$", first.got + arrived, re.M)[-1]
    hub.join(third, ALL, SUPERVISOR, last_seen=last_id)
    assert third.events == ["1", "2", "3"]


def test_a_reconnect_between_publishing_and_sending_hears_it_once(time: VirtualTime) -> None:
    hub, browser = Hub(time), Browser()
    hub.join(Browser(), ALL, SUPERVISOR)
    hub.publish("call", {"n": 1})
    hub.join(browser, ALL, SUPERVISOR, last_seen=re.sub(r"\d+$", "0", f"{hub._epoch}-0"))
    settle(time)
    assert browser.events == ["1"]


def test_whoever_was_away_for_too_long_is_told_to_load_the_page_anew(time: VirtualTime) -> None:
    hub, first = Hub(time, kept=3), Browser()
    client = hub.join(first, ALL, SUPERVISOR)
    happen(hub, time, 1)
    hub.leave(client)
    happen(hub, time, 2, 3, 4, 5)
    second = Browser()
    hub.join(second, ALL, SUPERVISOR, last_seen=first.last_id)
    assert "event: reset" in second.got


@pytest.mark.parametrize("last_seen", ["nonsense", "deadbeef-1", "-", "deadbeef-9999999999"])
def test_a_number_of_before_a_restart_means_load_anew(time: VirtualTime, last_seen: str) -> None:
    browser = Browser()
    Hub(time).join(browser, ALL, SUPERVISOR, last_seen=last_seen)
    assert "event: reset" in browser.got


def test_a_unit_hears_of_its_own_orders_only(time: VirtualTime) -> None:
    hub, tax = Hub(time), Browser()
    client = hub.join(tax, ALL, Viewer(Role.UNIT, unit_id="tax"))
    happen(hub, time, 1, topic="order", unit_id="tax")
    happen(hub, time, 2, topic="order", unit_id="social")
    happen(hub, time, 3, topic="order")
    happen(hub, time, 4, topic="call", unit_id="tax")
    hub.leave(client)
    again = Browser()
    happen(hub, time, 5, topic="order", unit_id="social")
    hub.join(again, ALL, Viewer(Role.UNIT, unit_id="tax"), last_seen=tax.last_id)
    assert tax.events == ["1"]
    assert again.events == []


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("topic", TOPICS)
def test_a_role_hears_its_topics_only(time: VirtualTime, topic: str, role: Role) -> None:
    hub, browser = Hub(time), Browser()
    hub.join(browser, ALL, Viewer(role, unit_id="tax"))
    happen(hub, time, 1, topic=topic, unit_id="tax")
    assert browser.events == (["1"] if role in TOPICS[topic] else [])


def test_a_viewer_too_slow_is_dropped_and_nobody_waits_for_it(time: VirtualTime) -> None:
    hub, slow, quick = Hub(time), Browser(), Browser()
    client = hub.join(slow, ALL, SUPERVISOR)
    hub.join(quick, ALL, SUPERVISOR)
    client.pause()
    for number in range(300):
        happen(hub, time, number)
    assert slow.is_closed
    assert (hub.viewers, hub.dropped) == (1, 1)
    assert len(quick.events) == 300


def test_a_viewer_that_pauses_for_a_moment_gets_everything_afterwards(time: VirtualTime) -> None:
    hub, browser = Hub(time), Browser()
    client = hub.join(browser, ALL, SUPERVISOR)
    client.pause()
    happen(hub, time, 1)
    happen(hub, time, 2)
    assert browser.events == []
    client.resume()
    assert browser.events == ["1", "2"]


def test_two_hundred_viewers_are_served_in_slices_of_one_turn_each(time: VirtualTime) -> None:
    turns = Turns()
    hub = Hub(turns)
    browsers = [TimedBrowser(turns) for _ in range(200)]
    for browser in browsers:
        hub.join(browser, ALL, SUPERVISOR)
    happen(hub, turns, 1)
    assert all(browser.events == ["1"] for browser in browsers)
    served = Counter(browser.served_in for browser in browsers)
    assert max(served.values()) <= 25


def test_a_quiet_stream_has_a_heartbeat_and_an_end_after_which_the_browser_comes_back(time: VirtualTime) -> None:
    hub, browser = Hub(time), Browser()
    hub.join(browser, ALL, SUPERVISOR)
    time.advance(HEARTBEAT_S)
    assert ": still here" in browser.got
    while time.seconds() < LONGEST_LIFE_S:
        time.advance(HEARTBEAT_S)
    assert browser.is_closed
    assert hub.viewers == 0


def test_nothing_is_left_running_when_nobody_listens(time: VirtualTime) -> None:
    hub = Hub(time)
    client = hub.join(Browser(), ALL, SUPERVISOR)
    happen(hub, time, 1)
    hub.leave(client)
    time.advance(HEARTBEAT_S)
    hub.publish("call", {"n": 2})
    time.advance(1)
    assert not time.getDelayedCalls()


def test_logging_out_ends_the_streams_of_that_session_only(time: VirtualTime) -> None:
    hub, mine, other = Hub(time), Browser(), Browser()
    hub.join(mine, ALL, Viewer(Role.SUPERVISOR, session_key="a"))
    hub.join(other, ALL, Viewer(Role.SUPERVISOR, session_key="b"))
    hub.drop(lambda viewer: viewer.session_key == "a")
    assert (mine.is_closed, other.is_closed) == (True, False)
