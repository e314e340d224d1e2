"""The store: orders, deadlines, calls and surveys in Redis; its parts read them, and only this file writes.

All writing is `apply.lua`, one call per event of the journal. The marker `applied` holds for each journal how far
it has been applied; script and marker are one, so an event is applied once and in order or not at all. Whatever is
lost in Redis is rebuilt from the journal.

Everything here blocks for up to `timeout_s`: call it in a thread. Keys (behind the prefix): `order:<number>` (JSON),
`order:<number>:events` list, `orders` by time opened, `due` by deadline and `stamps` of the same, `reached` by time,
`open:<number>|<matter>` and `open_by_phone:<number>` open orders, `numbers` (every number ever given -> order it counts
as), `highest` sequences, `epochs`, `early:<number>` (events whose turn has not come), `lease:<number>`, `call:<id>`,
`calls`, `survey:<id>`, `surveys`, `followed_up` (what was done about a bad one),
`applied`, `chain`, `seen:<journal>`, `refused`, `node:<number>`; for reports `order_facts`,
`order_past` (what an order was before), `order_counted`, `call_facts`, `survey_facts`;
for lists `filed:<unit>|<state>`, `units` (all that ever had an order), `of_phone:<number>`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import structlog
from redis.exceptions import NoScriptError

from callback_scheduler.orders.event_facts import call_facts_in, order_facts_in
from callback_scheduler.store.completeness import Completeness
from callback_scheduler.store.connection import Connection, client_of, milliseconds
from callback_scheduler.store.early import EarlyEvents
from callback_scheduler.store.leases import Leases
from callback_scheduler.store.leftovers import Leftovers
from callback_scheduler.store.node_claims import NodeClaims
from callback_scheduler.store.orders import StoredOrders
from callback_scheduler.store.records import StoredRecords
from callback_scheduler.store.slices import TimeSlices

if TYPE_CHECKING:  # a report reads the store without a journal, and without what that needs
    from callback_scheduler.journal.journal import Durable, JournalEvent

log = structlog.get_logger()

_SCRIPT = Path(__file__).with_name("apply.lua").read_text(encoding="utf-8")
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# What an older version wrote in another form is not read: all is built anew from the journal.
_FORM = "3:"
_ORDER_EVENTS = frozenset({"order_opened", "order_changed", "order_noted"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """What became of an event: `status` is applied, seen, refused (then `order_id` is the error) or gap.

    For an order `order_id` is the number it counts as: another than its own if it was merged.
    """

    status: str
    order_id: str = ""
    due_at: str = ""
    is_provisional: bool = False
    unit_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether an event was refused, and the number its order counts as ("" if it is about none)."""

    was_refused: bool
    counts_as: str


class Store:
    """The store in one Redis; StoreUnavailable is raised when that does not answer or cannot write.

    `orders` and `records` are read by those who owe and those who count, `leases` are taken by those who work; `early`
    are the events that wait for their turn, `leftovers` what nothing leads to any more.
    """

    def __init__(self, client: redis.Redis, *, prefix: str = "hotline:", calls_kept: int = 100_000) -> None:
        self._connection = connection = Connection(client, prefix + _FORM)
        self._redis = connection.redis
        self._calls_kept = calls_kept
        slices = TimeSlices(connection)
        self.orders = StoredOrders(connection, slices)
        self.records = StoredRecords(connection, slices)
        self.leases = Leases(connection)
        self.completeness = Completeness(connection)
        self.node_claims = NodeClaims(connection)
        self.early = EarlyEvents(connection, _facts)
        self.leftovers = Leftovers(connection, prefix, self.early)

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 1.0, **options: Any) -> Store:
        """Return a store at `url` (redis://, rediss:// or unix://); connects when first used."""
        return cls(client_of(url, timeout_s), **options)

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def key(self, *parts: str) -> str:
        """Return a key of ours."""
        return self._connection.key(*parts)

    # -- writing --------------------------------------------------------------------------------------------------

    def applied(self, journal_id: str) -> int:
        """Return the position of the last event applied of a journal, 0 if Redis knows nothing of it."""
        return int(self.ask(lambda redis: redis.hget(self.key("applied"), journal_id)) or 0)

    def chain(self, journal_id: str) -> tuple[int, str]:
        """Return position and chain of the last event applied of a journal; (0, "") if Redis knows nothing of it."""
        position, _, chain = (self.ask(lambda redis: redis.hget(self.key("chain"), journal_id)) or "0").partition(" ")
        return int(position), chain

    def resume_from(self, journal_id: str, position: int) -> None:
        """Let the next event of a journal be the one behind `position`."""
        self.ask(lambda redis: redis.hset(self.key("applied"), journal_id, position))

    def apply(self, journal_id: str, events: Durable) -> list[EventOutcome]:
        """Apply events in order, each once; after an outcome `gap` nothing more was done.

        Events that an earlier version put by without facts are judged before the turn of one comes.
        """
        outcomes: list[EventOutcome] = []
        while len(outcomes) < len(events):
            answered = self.ask(partial(self._apply, journal_id, events[len(outcomes) :]))
            unjudged = next((place for place, one in enumerate(answered) if one.status == "unjudged"), None)
            outcomes += answered[:unjudged]
            if unjudged is not None:
                log.info("early_events_judged", events=self.early.judge(answered[unjudged].order_id))
        return outcomes

    def _apply(self, journal_id: str, events: Durable, _: redis.Redis) -> list[EventOutcome]:
        answers = self._run(journal_id, events)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            self._redis.script_load(_SCRIPT)
            answers = self._run(journal_id, events)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [
            EventOutcome(status, number, due_at, flag == "true", *unit)
            for status, number, due_at, flag, *unit in answers
        ]

    def _run(self, journal_id: str, events: Durable) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for position, event in events:
            pipeline.evalsha(_SHA, 0, *self._arguments(journal_id, position, event))
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers

    def _arguments(self, journal_id: str, position: int, event: JournalEvent) -> list[Any]:
        payload = json.dumps(event.payload, ensure_ascii=False)
        due_ms = _due_ms(event)
        at_ms = milliseconds(event.at)
        head = [self._connection.prefix, journal_id, position, event.event_id, event.event_type]
        return [*head, at_ms, payload, due_ms, self._calls_kept, event.chain, _facts(event.event_type, event.payload)]

    # -- reading --------------------------------------------------------------------------------------------------

    def verdicts(self, events: Sequence[JournalEvent]) -> list[Ruling]:
        """Return what became of events that were applied; the feed of notices asks."""
        ids = [event.event_id for event in events]
        numbers = [str(event.payload.get("order_id", "")) for event in events]
        refused = self.ask(lambda redis: redis.hmget(self.key("refused"), ids))
        counting = self.ask(lambda redis: redis.hmget(self.key("numbers"), numbers))
        found = zip(refused, counting, strict=True)
        return [Ruling(why is not None, (known or "").partition(" ")[0]) for why, known in found]

    def refused(self) -> dict[str, str]:
        """Return the events that could not be applied, with the error of each; they are in the journal."""
        return dict(self.ask(lambda redis: redis.hgetall(self.key("refused"))))

    def highest_numbers(self) -> list[str]:
        """Return the highest order number given, of each day and node."""
        highest = self.ask(lambda redis: redis.hgetall(self.key("highest")))
        return [day_and_node + sequence for day_and_node, sequence in highest.items()]

    def ask(self, question: Callable[[Any], _T]) -> _T:
        """Ask Redis something about keys that are not the ledger's own (see `expiring_texts`)."""
        return self._connection.ask(question)


def _facts(event_type: str, payload: Mapping[str, Any]) -> str:
    """Return what an event adds to the facts that reports count, as JSON; "" if it adds nothing."""
    if event_type == "call_ended":
        facts = call_facts_in(payload)
        return "" if facts is None else json.dumps(facts, ensure_ascii=False)
    if event_type in _ORDER_EVENTS:
        return json.dumps(order_facts_in(payload), ensure_ascii=False)
    return ""


def _due_ms(event: JournalEvent) -> int | str:
    """The deadline an order's event gives, "" if there is none the script could use."""
    try:
        return milliseconds(datetime.fromisoformat((event.payload.get("changes") or event.payload)["due_at"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
