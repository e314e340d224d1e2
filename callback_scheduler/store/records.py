"""Records of calls and answers to the survey, and what a report asks of them and of orders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from callback_scheduler.orders.rating import is_bad
from callback_scheduler.store.connection import Connection, milliseconds
from callback_scheduler.store.slices import TimeSlices
from routing.clock import SHANGHAI

_FACTS_SCRIPT = Path(__file__).with_name("facts.lua").read_text(encoding="utf-8")
_ADDED_MEANWHILE = 20
_CHUNK = 1000


class StoredRecords:
    """Reads the records of a store; changes none."""

    def __init__(self, connection: Connection, slices: TimeSlices) -> None:
        self._ask, self._key = connection.ask, connection.key
        self._slices = slices

    def calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records (behind the call `after`), newest first; a running one has what was offered."""
        return self._records("call", limit, after)

    def calls_named(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of calls, in the order of their ids; those that are not kept are left out."""
        keys = [self._key("call", call_id) for call_id in call_ids]
        records = self._ask(lambda redis: redis.mget(keys)) if keys else []
        return [json.loads(record) for record in records if record is not None]

    def surveys(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last answers to the survey, newest first; they name no call record's phone number."""
        return self._records("survey", limit)

    def bad_surveys(self, since: datetime) -> list[dict[str, Any]]:
        """Return the answers from `since` on that somebody must see to and nobody has, newest first.

        Each has `survey_id` and `at` beside what was answered.
        """
        name, least = self._key("surveys"), milliseconds(since)
        scores = dict(self._ask(lambda redis: redis.zrevrangebyscore(name, "+inf", least, withscores=True)))
        found: list[dict[str, Any]] = []
        for ids in _in_chunks(list(scores)):
            kept, done = self._answers(ids)
            for survey_id, record, settled in zip(ids, kept, done, strict=True):
                answer = json.loads(record) if record is not None and settled is None else {}
                if is_bad(answer.get("level") or 0, answer.get("is_solved")):
                    at = datetime.fromtimestamp(scores[survey_id] / 1000, SHANGHAI)
                    found.append({"order_id": "", **answer, "survey_id": survey_id, "at": at})
        return found

    def _answers(self, survey_ids: list[str]) -> tuple[list[str | None], list[str | None]]:
        """Return the answers with these ids, and what was done about each."""
        names, followed_up = [self._key("survey", one) for one in survey_ids], self._key("followed_up")
        return self._ask(lambda redis: redis.mget(names)), self._ask(lambda redis: redis.hmget(followed_up, survey_ids))

    def facts(self, kind: str, since: datetime, until: datetime) -> Iterator[list[Any]]:
        """Yield what a report asks of every order, call or survey (`kind`) of a period, oldest first.

        They are the lists that apply.lua writes; `until` is not included. `reports.reader` knows what stands where.
        Redis looks for the next ones while the reader counts these.
        """
        period = self._slices.cut(f"{kind}s", str(milliseconds(since)), f"({milliseconds(until)}")
        yield from chain.from_iterable(map(orjson.loads, self._slices.read(_FACTS_SCRIPT, kind, over=period)))

    def _records(self, kind: str, limit: int, after: str = "") -> list[dict[str, Any]]:
        ids = self._behind(self._key(kind + "s"), after, limit)
        if not ids:
            return []
        records = self._ask(lambda redis: redis.mget([self._key(kind, record_id) for record_id in ids]))
        return [json.loads(record) for record in records if record is not None]

    def _behind(self, name: str, after: str, limit: int) -> list[str]:
        """Return what stands behind `after` ("": from the first) in a sorted set, the latest first; [] if it is gone.

        What is added between the two questions moves `after` down: it is looked for, and a few more are read.
        """
        if not after:
            return list(self._ask(lambda redis: redis.zrevrange(name, 0, limit - 1)))
        rank = self._ask(lambda redis: redis.zrevrank(name, after))
        if rank is None:
            return []
        ids = list(self._ask(lambda redis: redis.zrevrange(name, rank, rank + limit + _ADDED_MEANWHILE)))
        return ids[ids.index(after) + 1 :][:limit] if after in ids else []


def _in_chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), _CHUNK):
        yield list(ids[first : first + _CHUNK])
