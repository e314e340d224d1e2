"""What people saw, what the journal holds and what the store says, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.journal.keys import FILE, Keys
from callback_scheduler.journal.scan import scan_folder
from callback_scheduler.journal.sealing import opened
from callback_scheduler.ledger.feed import EVENT_TYPES
from callback_scheduler.orders.order import Attempt, Order
from config.ladder import LadderSettings
from tests.redis.kill.story import Story
from tests.redis.kill.town import ENTERPRISES
from tests.redis.kill.witness import Seen

Breaches = Iterator[str]
# The enterprise is rung as soon as the intent is on disk; virtual time stands still meanwhile.
_AT_ONCE = timedelta(seconds=0.5)
# Talk is counted in the line's heartbeats, one a second.
_BEAT_S = 1.1


@dataclass
class Ring:
    """One time an enterprise's phone rang, as it and the specialist's know it."""

    number: str
    rung_at: datetime
    life: int
    line: int
    accepted_at: datetime | None = None
    answered_at: datetime | None = None
    joined_at: datetime | None = None
    talked_s: float = 0.0
    was_cut_off: bool = True  # by the death of the node


class Compared:
    """A story with what can be read out of it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.events = list(_journal(story))
        self.rings = list(_rings(story.seen))
        self.safe_redial_s = LadderSettings().safe_redial_s

    @cached_property
    def counted(self) -> list[tuple[int, JournalEvent]]:
        """The order events that Redis has let happen."""
        return [one for one in self.events if one[1].event_type in EVENT_TYPES
                and one[1].event_id not in self.story.refused]  # fmt: skip

    def ring_of(self, attempt: Attempt) -> Ring | None:
        """Return the ring of an attempt: the first after its intent was written."""
        intent_at = attempt.enterprise_rung_at
        if intent_at is None:
            return None
        near = [ring for ring in self.rings if ring.number == attempt.number
                and timedelta(0) <= ring.rung_at - intent_at <= _AT_ONCE]  # fmt: skip
        return near[0] if near else None

    def was_ended_by_a_later_life(self, attempt: Attempt, ring: Ring) -> bool:
        """Whether the node died before it had written the outcome: then what it wrote in the talk counts."""
        died_at = next((kill.at for kill in self.story.kills if kill.life == ring.life), None)
        return died_at is not None and attempt.ended_at is not None and attempt.ended_at > died_at

    def attempts(self) -> list[tuple[Order, Attempt]]:
        return [(order, attempt) for order in self.story.orders for attempt in order.attempts]


def _journal(story: Story) -> Iterator[tuple[int, JournalEvent]]:
    keys = Keys(story.journal / FILE)
    keys.read()
    for segment in scan_folder(story.journal):
        for position, chain, body in segments.read(segment.path, segment.first - 1, segment.last):
            yield position, opened(body, chain, keys)


def _rings(seen: list[Seen]) -> Iterator[Ring]:
    lines: dict[tuple[int, int], list[Seen]] = defaultdict(list)
    for one in seen:
        if "line" in one.fields:
            lines[one.life, one["line"]].append(one)
    for (life, line), told in lines.items():
        rung = next((one for one in told if one.what == "rung" and one["number"] in ENTERPRISES), None)
        if rung is not None:
            yield _ring(Ring(rung["number"], rung.at, life, line), told)


def _ring(ring: Ring, told: list[Seen]) -> Ring:
    for one in told:
        is_theirs = one.fields.get("number") == ring.number
        if one.what == "pressed" and one["key"] == "1" and not is_theirs:
            ring.accepted_at = ring.accepted_at or one.at
        elif one.what == "answered" and is_theirs:
            ring.answered_at = one.at
        elif one.what == "joined" and ring.number in one["numbers"]:
            ring.joined_at = ring.joined_at or one.at
        elif one.what == "talked":
            ring.talked_s = max(ring.talked_s, one["talked_s"])
        elif one.what == "ended" and is_theirs:
            ring.was_cut_off = False
    return ring
