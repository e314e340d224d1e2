"""Events put by until what comes before them is there: those without facts are judged before they are applied."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import Any

from callback_scheduler.store.connection import Connection

# of an event: its type and its payload; gives the JSON that apply.lua stores
FactsOf = Callable[[str, Mapping[str, Any]], str]
_FIELDS = 6  # event id, type, at, due, payload, facts; an earlier version had no facts


class EarlyEvents:
    """The lists of events that wait for their turn, a list for each order; apply.lua fills and empties them."""

    def __init__(self, connection: Connection, facts_of: FactsOf) -> None:
        self._connection, self._facts_of = connection, facts_of

    def waiting(self) -> list[str]:
        """Return the numbers of the orders that events wait for."""
        start = len(self._connection.key("early", ""))
        pattern = self._connection.key("early", "*")
        return [name[start:] for name in self._connection.ask(lambda redis: list(redis.scan_iter(pattern, count=1000)))]

    def drop(self, before_ms: int) -> None:
        """Let nothing wait any more for an order whose last event is of before `before_ms`: it will not come."""
        for number in self.waiting():
            name = self._connection.key("early", number)
            last = self._connection.ask(methodcaller("lindex", name, -1))
            if last is not None and int(json.loads(last)[2]) < before_ms:
                self._connection.ask(methodcaller("delete", name))

    def judge(self, order_id: str) -> int:
        """Give facts to the events of an order that have none, and return how many there were.

        Without them an attempt would be missing from the figures up to its next event. Begun anew if a node empties or
        fills the list meanwhile. Raises StoreUnavailable.
        """
        name = self._connection.key("early", order_id)
        unjudged: dict[int, list[Any]] = {}

        def give_facts(pipeline: Any) -> None:
            events = [json.loads(event) for event in pipeline.lrange(name, 0, -1)]
            unjudged.clear()
            unjudged.update({place: event for place, event in enumerate(events) if len(event) < _FIELDS})
            pipeline.multi()
            for place, event in unjudged.items():
                pipeline.lset(name, place, json.dumps([*event, self._facts_of(event[1], json.loads(event[4]))]))

        self._connection.ask(lambda redis: redis.transaction(give_facts, name))
        return len(unjudged)
