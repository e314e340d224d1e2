"""Orders that a talk has settled are closed, bad ratings are followed up, and what is old is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderEvent as E
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.housekeeping import Housekeeping
from config.keeping import KeepingSettings
from tests.redis.nodes import EVENING, InReactor, Node

MORNING = EVENING + timedelta(hours=13, minutes=5)


class Kept:
    """A node with its housekeeping, and what supervisors were told."""

    def __init__(self, node: Node, in_reactor: InReactor, **settings: Any) -> None:
        node.start()
        self.node = node
        self.told: list[tuple[str, str, str]] = []
        self.recordings = node.data_dir / "recordings"
        self.in_reactor = in_reactor
        self.again(**settings)

    def again(self, **settings: Any) -> None:
        self.house = Housekeeping(self.node.ledger, KeepingSettings(**settings), self, self.recordings)

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        self.told.append((kind, order.order_id, extra["cause"]))

    def run(self, at: datetime) -> None:
        self.in_reactor(self.house.run, at)

    def change(self, order_id: str, event: E, at: datetime, **told: Any) -> None:
        self.in_reactor(self.node.ledger.orders.change_order, order_id, event, who="timetable", at=at, **told)

    def rate(self, order_id: str, level: int, is_solved: bool | None) -> None:
        changes = {"survey_level": level, "is_solved": is_solved}
        note = self.node.ledger.orders.note_order
        self.in_reactor(note, order_id, "surveyed", who="caller", changes=changes, at=MORNING)

    def reached(self, number: str, at: datetime = MORNING, **fields: Any) -> str:
        """Open an order and let its callback reach the enterprise."""
        order_id: str = self.node.open_order(number, **fields).order_id
        evidence = Evidence(
            call_id="c", unit_number="6101", unit_answered_at=at, accepted_at=at, enterprise_number=number,
            enterprise_answered_at=at, talk_began_at=at, two_way_s=45.0, recording="",
        )  # fmt: skip
        attempt = Attempt(attempt_id=f"{order_id}-a1", begun_at=at, by="timetable", number=number)
        self.change(order_id, E.ATTEMPT_BEGUN, at, attempt=attempt)
        ended = Attempt(
            attempt_id=f"{order_id}-a1", begun_at=at, by="timetable", number=number, evidence=evidence,
            outcome=AttemptOutcome.REACHED, ended_at=at + timedelta(minutes=1),
        )  # fmt: skip
        self.change(order_id, E.REACHED, at, attempt=ended)
        return order_id

    def state(self, order_id: str) -> OrderState:
        order: Order = self.node.ask("orders.order", order_id)
        return order.state

    def recording(self, day: str) -> Path:
        path = self.recordings / day / "call-talk.wav"
        path.parent.mkdir(parents=True)
        path.touch()
        return path


@pytest.fixture
def kept(node: Node, in_reactor: InReactor) -> Kept:
    return Kept(node, in_reactor, keep_days=365)


def test_an_order_the_enterprise_calls_solved_is_closed_at_once_and_says_why(kept: Kept) -> None:
    solved, silent = kept.reached("1"), kept.reached("2")
    kept.rate(solved, 5, True)
    kept.run(MORNING + timedelta(minutes=5))
    kept.run(MORNING + timedelta(minutes=10))
    assert (kept.state(solved), kept.state(silent)) == (OrderState.CLOSED, OrderState.REACHED)
    events = kept.node.ask("orders.order_events", solved)
    closings = [event for event in events if event["payload"].get("event") == "closed"]
    assert [event["payload"]["why"] for event in closings] == ["企业按键确认：已解决"]
    assert kept.told == []


def test_an_order_nobody_objects_to_is_closed_after_its_days(kept: Kept) -> None:
    order_id = kept.reached("1")
    kept.run(MORNING + timedelta(days=5))  # the talk ended a minute after it began
    assert kept.state(order_id) is OrderState.REACHED
    kept.run(MORNING + timedelta(days=5, minutes=1))
    assert kept.state(order_id) is OrderState.CLOSED


@pytest.mark.parametrize(("level", "is_solved"), [(1, None), (2, True), (4, False)])
def test_a_bad_rating_is_told_once_and_its_order_left_to_a_supervisor(
    kept: Kept, level: int, is_solved: bool | None
) -> None:
    order_id = kept.reached("1")
    kept.rate(order_id, level, is_solved)
    for minutes in (5, 10, 60 * 24 * 30):
        kept.run(MORNING + timedelta(minutes=minutes))
    assert kept.state(order_id) is OrderState.REACHED
    assert [(kind, told_of) for kind, told_of, _ in kept.told] == [("bad_rating", order_id)]
    kept.change(order_id, E.REOPENED, MORNING + timedelta(days=31))
    assert kept.node.ask("orders.reached_orders") == []


def test_what_is_old_and_settled_is_forgotten_with_its_recordings_and_what_is_owed_is_kept(kept: Kept) -> None:
    said = kept.recording("2026/03/03")
    old = kept.reached("1", message_path=str(said))
    kept.run(MORNING + timedelta(days=6))
    owed_said = kept.recording("2026/03/02")
    owed = kept.node.open_order("2", message_path=str(owed_said)).order_id
    later = EVENING + timedelta(days=400)
    nobodys, fresh = kept.recordings / "notes.wav", kept.recording("2027/04/01")
    nobodys.touch()
    kept.node.open_order("3", after=timedelta(days=399))
    kept.run(later)
    assert kept.node.ask("orders.order", old) is None
    assert kept.state(owed) is OrderState.OPENED
    assert [path.exists() for path in (said, owed_said, nobodys, fresh)] == [False, True, True, True]


def test_a_recording_that_is_still_needed_is_found_wherever_the_data_was_when_it_was_made(kept: Kept) -> None:
    owed_said, half_made = kept.recording("2026/03/02"), kept.recordings / "2026/03/02/call-talk.wav.part"
    half_made.touch()
    kept.node.open_order("2", message_path="/another/disk/recordings/2026/03/02/call-talk.wav")
    kept.node.open_order("3", after=timedelta(days=399))
    kept.run(EVENING + timedelta(days=400))
    assert (owed_said.exists(), half_made.exists()) == (True, False)


def test_other_rooms_are_told_once_all_is_forgotten_and_what_is_kept(kept: Kept) -> None:
    told: list[tuple[datetime, frozenset[KeyName]]] = []

    async def hear(before: datetime, names: frozenset[KeyName]) -> None:
        told.append((before, names))

    kept.house = Housekeeping(kept.node.ledger, KeepingSettings(keep_days=365), kept, kept.recordings, [hear])
    order_id = kept.node.open_order("1").order_id
    kept.node.open_order("2", after=timedelta(days=399))
    kept.run(EVENING + timedelta(days=400))
    midnight = (EVENING + timedelta(days=35)).replace(hour=0)
    assert told == [(midnight, frozenset({KeyName("20260303", order_id)}))]


def test_it_forgets_once_a_day_and_not_before_its_time_of_day(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []

    async def forget(before: datetime, at: datetime, archive: Path | None) -> Any:
        asked.append(at)
        raise StoreUnavailable("Redis is away") if len(asked) == 1 else AssertionError("a second time")

    monkeypatch.setattr(kept.node.ledger, "forget", forget)
    night = EVENING.replace(day=4, hour=3, minute=29)
    kept.run(night)
    assert asked == []
    with pytest.raises(StoreUnavailable):
        kept.run(night + timedelta(minutes=1))
    with pytest.raises(AssertionError):  # what failed is tried again
        kept.run(night + timedelta(minutes=6))


def test_a_node_that_starts_with_the_wrong_year_forgets_nothing(kept: Kept) -> None:
    order_id = kept.reached("1")
    said = kept.recording("2026/03/03")
    kept.run(MORNING + timedelta(days=3650))
    assert kept.node.ask("orders.order", order_id) is not None
    assert said.exists()
