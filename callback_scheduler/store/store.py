"""The store: orders, deadlines, calls and surveys in Redis, and the only file that imports redis.

All writing is `apply.lua`, one call per event of the journal. The marker `applied` holds for each journal how far
it has been applied; script and marker are one, so an event is applied once and in order or not at all. Whatever is
lost in Redis is rebuilt from the journal.

Everything here blocks for up to `timeout_s`: call it in a thread. Keys (behind the prefix): `order:<number>` (JSON),
`order:<number>:events` list, `orders` by time opened, `due` by deadline and `stamps` of the same, `reached` by time,
`open:<number>|<matter>` and `open_by_phone:<number>` open orders, `numbers` (every number ever given -> order it counts
as), `highest` sequences, `epochs`, `early:<number>` (events whose turn has not come), `lease:<number>`, `call:<id>`,
`calls`, `survey:<id>`, `surveys`, `applied`, `chain`, `seen:<journal>`, `refused`; for reports `order_facts`,
`call_facts`, `survey_facts`;
for lists `filed:<unit>|<state>`, `units` (all that ever had an order), `of_phone:<number>`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha1
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.orders.fields import from_fields
from callback_scheduler.orders.order import Lease, Order
from callback_scheduler.store import search as order_search
from callback_scheduler.store.search import OrderFilter
from callback_scheduler.store.slices import Stretch, Stretches
from routing.clock import SHANGHAI

if TYPE_CHECKING:  # a report reads the store without a journal, and without what that needs
    from callback_scheduler.journal.journal import Durable, JournalEvent

_SCRIPT = Path(__file__).with_name("apply.lua").read_text(encoding="utf-8")
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_FACTS_SCRIPT = Path(__file__).with_name("facts.lua").read_text(encoding="utf-8")
_DUE_SCRIPT = Path(__file__).with_name("due.lua").read_text(encoding="utf-8")
_LEASE_SCRIPT = Path(__file__).with_name("lease.lua").read_text(encoding="utf-8")
# What an older version wrote in another form is not read: all is built anew from the journal.
_FORM = "3:"
_CHUNK = 2000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event: `status` is applied, seen, refused (then `order_id` is the error) or gap.

    For an order `order_id` is the number it counts as: another than its own if it was merged.
    """

    status: str
    order_id: str = ""
    due_at: str = ""
    is_provisional: bool = False
    unit_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an event was refused, and the number its order counts as ("" if it is about none)."""

    was_refused: bool
    counts_as: str


class Store:
    """The store in one Redis; StoreUnavailable is raised when that does not answer or cannot write."""

    def __init__(self, client: redis.Redis, *, prefix: str = "hotline:", calls_kept: int = 100_000) -> None:
        self._redis: Any = client  # its annotations name sync and async answers at once
        self._prefix = prefix + _FORM
        self._calls_kept = calls_kept
        self._stretches = Stretches(client, self._prefix, self._ask)

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 1.0, **options: Any) -> Store:
        """Return a store at `url` (redis://, rediss:// or unix://); connects when first used."""
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # The applier tries again by itself, and nobody else may be kept waiting.
            retry=Retry(NoBackoff(), 0),
        )
        return cls(client, **options)

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()

    def key(self, *parts: str) -> str:
        """Return a key of ours."""
        return self._prefix + ":".join(parts)

    # -- writing --------------------------------------------------------------------------------------------------

    def applied(self, journal_id: str) -> int:
        """Return the position of the last event applied of a journal, 0 if Redis knows nothing of it."""
        return int(self._ask(lambda: self._redis.hget(self.key("applied"), journal_id)) or 0)

    def chain(self, journal_id: str) -> tuple[int, str]:
        """Return position and chain of the last event applied of a journal; (0, "") if Redis knows nothing of it."""
        position, _, chain = (self._ask(lambda: self._redis.hget(self.key("chain"), journal_id)) or "0").partition(" ")
        return int(position), chain

    def resume_from(self, journal_id: str, position: int) -> None:
        """Let the next event of a journal be the one behind `position`."""
        self._ask(lambda: self._redis.hset(self.key("applied"), journal_id, position))

    def apply(self, journal_id: str, events: Durable) -> list[Outcome]:
        """Apply events in order, each once; after an outcome `gap` nothing more was done."""
        return self._ask(lambda: self._apply(journal_id, events))

    def _apply(self, journal_id: str, events: Durable) -> list[Outcome]:
        answers = self._run(journal_id, events)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            self._redis.script_load(_SCRIPT)
            answers = self._run(journal_id, events)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [
            Outcome(status, number, due_at, flag == "true", *unit) for status, number, due_at, flag, *unit in answers
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
        at_ms = _milliseconds(event.at)
        head = [self._prefix, journal_id, position, event.event_id, event.event_type]
        return [*head, at_ms, payload, due_ms, self._calls_kept, event.chain]

    # -- leases ---------------------------------------------------------------------------------------------------

    def lease(self, order_id: str, ttl_s: float) -> Lease | None:
        """Take the lease of an order for `ttl_s`; None while somebody holds it."""
        epoch = self._lease("take", order_id, 0, ttl_s)
        return Lease(order_id, epoch, ttl_s) if epoch else None

    def renew(self, lease: Lease) -> bool:
        """Hold a lease for its `ttl_s` from now on; False if it is over."""
        return self._lease("renew", lease.order_id, lease.epoch, lease.ttl_s) > 0

    def release(self, lease: Lease) -> bool:
        """Give a lease back; False if it was over."""
        return self._lease("release", lease.order_id, lease.epoch, lease.ttl_s) > 0

    def _lease(self, verb: str, order_id: str, epoch: int, ttl_s: float) -> int:
        arguments = (self._prefix, verb, order_id, epoch, round(ttl_s * 1000))
        return int(self._ask(lambda: self._redis.eval(_LEASE_SCRIPT, 0, *arguments)))

    # -- reading --------------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> Order | None:
        """Return the order a number counts as (another, if it was merged); None if the number was never given."""
        known = self._ask(lambda: self._redis.hget(self.key("numbers"), order_id))
        found = self._orders([known.split()[0]]) if known else []
        return found[0] if found else None

    def orders(self, limit: int = 100) -> list[Order]:
        """Return the last orders, newest first."""
        return self._orders(self._ask(lambda: self._redis.zrevrange(self.key("orders"), 0, limit - 1)))

    def orders_of(self, numbers: Sequence[str]) -> list[Order]:
        """Return the orders with these numbers, in their order; a number that was never an order's own is left out."""
        return self._orders(numbers)

    def all_orders(self, since: datetime, until: datetime) -> list[Order]:
        """Return all orders opened at `since` or later and before `until`, oldest first."""
        first, last = _milliseconds(since), f"({_milliseconds(until)}"
        return self._orders(self._ask(lambda: self._redis.zrangebyscore(self.key("orders"), first, last)))

    def settled_orders(self, before: datetime, limit: int) -> list[Order]:
        """Return up to `limit` orders opened before `before` that are not owed any more, oldest first."""
        pages = order_search.opened_before(self._redis, self.key, self._orders, before, self._ask)
        return list(islice((order for order in pages if not order.state.is_open), limit))

    def reached_orders(self) -> list[Order]:
        """Return the orders whose callback reached the enterprise and that are not closed, longest reached first."""
        return self._orders(self._ask(lambda: self._redis.zrange(self.key("reached"), 0, -1)))

    def known(self, order_ids: Sequence[str]) -> set[str]:
        """Return those of `order_ids` under which an order is kept that has not been forgotten."""
        counting = self._ask(lambda: self._redis.hmget(self.key("numbers"), order_ids)) if order_ids else []
        leads_to = {number: (entry or number).split()[0] for number, entry in zip(order_ids, counting, strict=True)}
        pipeline = self._redis.pipeline(transaction=False)
        for number in leads_to.values():
            pipeline.exists(self.key("order", number))
        return {number for number, is_there in zip(leads_to, self._ask(pipeline.execute), strict=True) if is_there}

    def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""
        until = _milliseconds(at)
        found = self._ask(lambda: self._redis.zrangebyscore(self.key("due"), "-inf", until, start=0, num=limit))
        return self._orders(found)

    def due_stretches(self, until: datetime) -> list[Stretch]:
        """Cut the time up to `until` into stretches, earliest first, in each of which a few thousand orders are due."""
        return self._stretches.cut("due", "-inf", str(_milliseconds(until)))

    def due_in(self, stretch: Stretch, known: Mapping[str, Order]) -> list[Order]:
        """Return the open orders due in a stretch, earliest deadline first.

        Those that nothing has happened to since they were `known` are returned as they are there, and not read.
        """
        (lines,) = self._stretches.read(_DUE_SCRIPT, over=[stretch])
        stamps: dict[str, str] = dict(line.split(" ") for line in lines.splitlines())
        as_known = {number: known[number] for number, stamp in stamps.items() if _is_known(known.get(number), stamp)}
        read = self._orders([number for number in stamps if number not in as_known])
        found = as_known | {order.order_id: order for order in read if order.state.is_open}
        return [found[number] for number in stamps if number in found]

    def open_orders(self, limit: int = 10_000) -> list[Order]:
        """Return open orders, earliest deadline first."""
        return self._orders(self._ask(lambda: self._redis.zrange(self.key("due"), 0, limit - 1)))

    def open_orders_of(self, phone: str, limit: int = 100) -> list[Order]:
        """Return the open orders to be rung back at `phone`, or left from it; the longest open one first."""
        return self._orders(self._ask(lambda: self._redis.zrange(self.key("open_by_phone", phone), 0, limit - 1)))

    def find(self, asked: OrderFilter) -> list[Order]:
        """Return a page of the orders that are asked for, newest first."""
        return order_search.find(self._redis, self.key, self._orders, asked, self._ask)

    def order_events(self, order_id: str) -> list[dict[str, Any]]:
        """Return what has happened to an order, oldest first: event_id, type, at (ISO 8601, Shanghai) and payload."""
        known = self._ask(lambda: self._redis.hget(self.key("numbers"), order_id))
        if not known:
            return []
        told = self._ask(lambda: self._redis.lrange(self.key("order", known.split()[0], "events"), 0, -1))
        return [_timeline_entry(json.loads(event)) for event in told]

    def calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records (behind the call `after`), newest first; a running one has what was offered."""
        return self._records("call", limit, after)

    def count_orders(self) -> dict[tuple[str, str], int]:
        """Return how many orders each unit has in each state, by unit and state; those of which there are none too."""
        return order_search.count(self._redis, self.key, self._ask)

    def calls_named(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of calls, in the order of their ids; those that are not kept are left out."""
        keys = [self.key("call", call_id) for call_id in call_ids]
        records = self._ask(lambda: self._redis.mget(keys)) if keys else []
        return [json.loads(record) for record in records if record is not None]

    def surveys(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last answers to the survey, newest first; they name no call record's phone number."""
        return self._records("survey", limit)

    def facts(self, kind: str, since: datetime, until: datetime) -> Iterator[list[Any]]:
        """Yield what a report asks of every order, call or survey (`kind`) of a period, oldest first.

        They are the lists that apply.lua writes; `until` is not included. `report_reader` knows what stands where.
        Redis looks for the next ones while the reader counts these.
        """
        period = self._stretches.cut(f"{kind}s", str(_milliseconds(since)), f"({_milliseconds(until)}")
        yield from chain.from_iterable(map(orjson.loads, self._stretches.read(_FACTS_SCRIPT, kind, over=period)))

    def verdicts(self, events: Sequence[JournalEvent]) -> list[Verdict]:
        """Return what became of events that were applied; the feed of notices asks."""
        ids = [event.event_id for event in events]
        numbers = [str(event.payload.get("order_id", "")) for event in events]
        refused = self._ask(lambda: self._redis.hmget(self.key("refused"), ids))
        counting = self._ask(lambda: self._redis.hmget(self.key("numbers"), numbers))
        found = zip(refused, counting, strict=True)
        return [Verdict(why is not None, (known or "").partition(" ")[0]) for why, known in found]

    def refused(self) -> dict[str, str]:
        """Return the events that could not be applied, with the error of each; they are in the journal."""
        return dict(self._ask(lambda: self._redis.hgetall(self.key("refused"))))

    def highest_numbers(self) -> list[str]:
        """Return the highest order number given, of each day and node."""
        highest = self._ask(lambda: self._redis.hgetall(self.key("highest")))
        return [day_and_node + sequence for day_and_node, sequence in highest.items()]

    def eviction_policy(self) -> str:
        """Return what Redis does when its memory is full; anything but `noeviction` would drop orders."""
        return str(self._ask(lambda: self._redis.info("memory")).get("maxmemory_policy", "unknown"))

    def _orders(self, numbers: Sequence[str]) -> list[Order]:
        found: list[Order] = []
        for first in range(0, len(numbers), _CHUNK):
            keys = [self.key("order", number) for number in numbers[first : first + _CHUNK]]
            documents = self._ask(partial(self._redis.mget, keys))
            joined = ",".join(document for document in documents if document is not None)
            found.extend(map(from_fields, json.loads(f"[{joined}]")))
        return found

    def _records(self, kind: str, limit: int, after: str = "") -> list[dict[str, Any]]:
        ids = order_search.behind(self._redis, self.key(kind + "s"), after, limit, self._ask)
        if not ids:
            return []
        records = self._ask(lambda: self._redis.mget([self.key(kind, record_id) for record_id in ids]))
        return [json.loads(record) for record in records if record is not None]

    def ask(self, question: Callable[[Any], _T]) -> _T:
        """Ask Redis something about keys that are not the ledger's own (see `shelf`)."""
        return self._ask(lambda: question(self._redis))

    def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return question()
        except ResponseError as refused:
            raise StoreUnavailable(f"Redis refuses: {refused}") from refused
        except (RedisError, OSError) as away:
            raise StoreUnavailable(f"Redis does not answer: {away}") from away


def _is_known(order: Order | None, stamp: str) -> bool:
    return order is not None and order.stamp == stamp


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _timeline_entry(told: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(told.pop("at_ms") / 1000, SHANGHAI)
    return told | {"at": at.isoformat()}


def _due_ms(event: JournalEvent) -> int | str:
    """The deadline an order's event gives, "" if there is none the script could use."""
    try:
        return _milliseconds(datetime.fromisoformat((event.payload.get("changes") or event.payload)["due_at"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
