"""The feed: what counted, from memory or disk, and never beyond what Redis had its say about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.journal.journal import Durable, Journal, JournalEvent
from callback_scheduler.ledger import feed as feed_module
from callback_scheduler.ledger.feed import Feed
from callback_scheduler.store.store import Ruling
from routing.clock import SHANGHAI

AT = datetime(2026, 3, 3, 20, 0, tzinfo=SHANGHAI)


class AtOnce:
    """A reactor whose thread is the caller's."""

    def callFromThread(self, work: Any, *args: Any) -> None:
        work(*args)


class World:
    """A journal on disk, a Redis that has had its say up to `applied`, and the feed."""

    def __init__(self, folder: Path) -> None:
        self.groups: list[Durable] = []
        self.journal = Journal(folder / "journal", AtOnce(), on_durable=self.groups.append)
        self.journal.open()
        self.applied = 0
        self.refused: set[str] = set()
        self.feed = Feed(self.journal, lambda: self.applied, self.verdicts)

    def verdicts(self, events: Sequence[JournalEvent]) -> list[Ruling]:
        return [Ruling(event.event_id in self.refused, event.payload.get("as", "")) for event in events]

    def write(self, *types: str, **payload: Any) -> list[JournalEvent]:
        events = [JournalEvent.new(name, {"order_id": "1"} | payload, AT) for name in types]
        waiting = [self.journal.append(event) for event in events]
        while self.journal.queued:
            pass
        assert len(waiting) == len(types)
        return events

    def hear(self) -> None:
        for group in self.groups:
            self.feed.hear(group)
        self.groups.clear()

    def taken(self, after: int, limit: int = 100) -> tuple[list[int], int]:
        letters, end = self.feed.take(after, limit)
        return [position for position, _ in letters], end


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.journal.close()


def test_events_are_taken_once_redis_had_its_say(world: World) -> None:
    world.write("order_opened", "call_ended", "order_changed")
    world.hear()
    assert world.taken(0) == ([], 0)
    world.applied = 2
    assert world.taken(0) == ([1], 2)
    world.applied = 3
    assert world.taken(2) == ([3], 3)


@pytest.mark.parametrize("is_heard", [True, False])
def test_memory_and_disk_give_the_same(world: World, is_heard: bool) -> None:
    world.write("order_opened", "call_ended", "order_noted", "survey_answered", "notice_given", "call_offered")
    if is_heard:
        world.hear()
    world.applied = 6
    assert world.taken(0) == ([1, 3, 5], 6)
    assert world.taken(0, limit=2) == ([1, 3], 3)
    assert world.taken(3, limit=2) == ([5], 6)


def test_an_event_redis_read_from_disk_before_the_feed_heard_of_it_is_not_skipped(world: World) -> None:
    world.write("order_opened")
    world.hear()
    world.write("order_changed")
    world.applied = 2  # and the writer's thread has not come to the feed yet
    assert world.taken(0) == ([1], 1)
    world.hear()
    assert world.taken(1) == ([2], 2)


def test_what_memory_no_longer_has_is_read_from_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_KEPT_IN_MEMORY", 3)
    world.write(*["order_noted"] * 10)
    world.hear()
    world.applied = 10
    assert world.taken(0) == (list(range(1, 11)), 10)
    assert world.taken(7) == ([8, 9, 10], 10)


def test_what_was_refused_is_passed_over_and_what_was_merged_says_so(world: World) -> None:
    _, refused, _ = world.write("order_opened", "order_changed", "order_noted")
    world.write("order_opened", **{"order_id": "2", "as": "1"})
    world.refused = {refused.event_id}
    world.applied = 4
    letters, end = world.feed.take(0, 100)
    assert ([position for position, _ in letters], end) == ([1, 3, 4], 4)
    assert [event.payload.get("merged_into") for _, event in letters] == [None, None, "1"]
    assert world.feed.event_at(2) is None
    merged = world.feed.event_at(4)
    assert merged is not None
    assert merged.payload["merged_into"] == "1"


def test_only_events_of_interest_are_news(world: World) -> None:
    heard: list[int] = []
    world.feed.follow(lambda: heard.append(1), lambda: 7)
    world.feed.look(world.write("call_ended"))
    assert heard == []
    world.feed.look(world.write("call_ended", "order_changed"))
    assert heard == [1]
    assert world.feed.told_to() == 7
