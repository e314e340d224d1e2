"""The store: orders, deadlines, calls and surveys in Redis, and the only file that imports redis.

All writing is `apply.lua`, one call per event of the journal. The marker `applied` holds for each journal how far
it has been applied; script and marker are one, so an event is applied once and in order or not at all. Whatever is
lost in Redis is rebuilt from the journal.

Everything here blocks for up to `timeout_s`: call it in a thread. Keys (behind the prefix): `order:<number>` hash,
`order:<number>:merged` list, `orders` by time opened, `due` by deadline, `open` (number to ring | matter -> order),
`numbers` (every number ever given -> order it counts as), `highest` sequences, `call:<id>`, `calls`, `survey:<id>`,
`surveys`, `applied`, `seen:<journal>`, `refused`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.journal import Durable, JournalEvent
from callback_scheduler.order import Order, from_fields, merged_call

_SCRIPT = Path(__file__).with_name("apply.lua").read_text(encoding="utf-8")
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
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


class Store:
    """The store in one Redis; StoreUnavailable is raised when that does not answer or cannot write."""

    def __init__(self, client: redis.Redis, *, prefix: str = "hotline:", calls_kept: int = 100_000) -> None:
        self._redis: Any = client  # its annotations name sync and async answers at once
        self._prefix = prefix
        self._calls_kept = calls_kept

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
        return [Outcome(status, number, due_at, flag == "true") for status, number, due_at, flag in answers]

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
        return [*head, at_ms, payload, due_ms, self._calls_kept]

    # -- reading --------------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> Order | None:
        """Return the order a number counts as (another, if it was merged); None if the number was never given."""
        known = self._ask(lambda: self._redis.hget(self.key("numbers"), order_id))
        found = self._orders([known.split()[0]]) if known else []
        return found[0] if found else None

    def orders(self, limit: int = 100) -> list[Order]:
        """Return the last orders, newest first."""
        return self._orders(self._ask(lambda: self._redis.zrevrange(self.key("orders"), 0, limit - 1)))

    def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""
        until = _milliseconds(at)
        found = self._ask(lambda: self._redis.zrangebyscore(self.key("due"), "-inf", until, start=0, num=limit))
        return self._orders(found)

    def calls(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last call records, newest first; one that only has what was known when it was offered goes on."""
        return self._records("call", limit)

    def surveys(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last answers to the survey, newest first; they name no call record's phone number."""
        return self._records("survey", limit)

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

    def _orders(self, numbers: Iterable[str]) -> list[Order]:
        pipeline = self._redis.pipeline(transaction=False)
        for number in numbers:
            pipeline.hgetall(self.key("order", number))
            pipeline.lrange(self.key("order", number, "merged"), 0, -1)
        answers = self._ask(pipeline.execute)
        found = []
        for fields, repeated in zip(answers[::2], answers[1::2], strict=True):
            if fields:
                found.append(from_fields(fields, tuple(merged_call(json.loads(call)) for call in repeated)))
        return found

    def _records(self, kind: str, limit: int) -> list[dict[str, Any]]:
        ids = self._ask(lambda: self._redis.zrevrange(self.key(kind + "s"), 0, limit - 1))
        if not ids:
            return []
        records = self._ask(lambda: self._redis.mget([self.key(kind, record_id) for record_id in ids]))
        return [json.loads(record) for record in records if record is not None]

    def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return question()
        except ResponseError as refused:
            raise StoreUnavailable(f"Redis refuses: {refused}") from refused
        except (RedisError, OSError) as away:
            raise StoreUnavailable(f"Redis does not answer: {away}") from away


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _due_ms(event: JournalEvent) -> int | str:
    """The deadline in an order's event, "" if there is none the script could use."""
    try:
        return _milliseconds(datetime.fromisoformat(event.payload["due_at"]))
    except (KeyError, TypeError, ValueError):
        return ""
