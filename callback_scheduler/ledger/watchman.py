"""Looks whether Redis still has the orders and calls of this journal; what is lost there is built anew from here.

The marker in Redis says how far the journal was applied, not that all of it is still there: a Redis that may evict, and
a hand that deletes a key, leave the marker and take an order away.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator

import structlog

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.store.store import Store

log = structlog.get_logger()

_BATCH = 500
_LOOK_EVERY_S = 10.0
_LOOK_AT_MEMORY_EVERY_S = 60.0
_MEND_EVERY_S = 300.0  # a Redis that goes on evicting is not filled again and again
_CALLS_WATCHED = 200
# What must be known from the whole journal; calls are watched from the start of the process on.
OF_ORDERS = ("order_opened", "order_forgotten")


class Watchman:
    """Knows which orders of this journal must be in Redis; used in the applier's thread only, after `learn`."""

    def __init__(self, store: Store, *, has_own_redis: bool, calls_kept: int) -> None:
        self.orders_lost = 0  # so many are known to be missing in Redis
        self.may_evict = False  # Redis would drop orders when its memory is full
        self._store, self._has_own_redis = store, has_own_redis
        self._journal_id = ""
        self._orders: dict[str, tuple[str, int]] = {}  # number -> event that opened it, and its position
        self._calls: deque[str] = deque(maxlen=min(_CALLS_WATCHED, calls_kept // 10))
        self._round: Iterator[str] = iter(())
        self._is_whole_look = True
        self._applied = 0
        self._policy, self._evicted = "", 0
        self._mended: set[str] = set()  # what was missing when Redis was last emptied for it
        self._next_look_s = self._next_memory_s = self._next_mend_s = 0.0

    def learn(self, position: int, event: JournalEvent) -> None:
        """Take note of an event that is in Redis by now, or will be before the first look."""
        if event.event_type == "order_opened" and isinstance(event.payload.get("order_id"), str):
            self._orders.setdefault(event.payload["order_id"], (event.event_id, position))
        elif event.event_type == "order_forgotten":
            self._orders.pop(str(event.payload.get("order_id")), None)
        elif event.event_type == "records_forgotten":
            self._calls.clear()
        elif event.event_type == "call_ended" and isinstance(event.payload.get("call_id"), str):
            self._calls.append(event.payload["call_id"])

    def begin(self, journal_id: str) -> None:
        """Look at everything soon: Redis has come, or come back."""
        self._journal_id = journal_id
        self._next_memory_s = 0.0
        self._look_at_all()

    def look(self, applied: int, on_empty: Callable[[], None]) -> bool:
        """Look at some orders, at all of them at first and after Redis dropped a key; False if all is to be built anew.

        What lies behind `applied` in the journal is not expected in Redis. `on_empty` is called before it is emptied.
        Raises StoreUnavailable.
        """
        now_s, self._applied = time.monotonic(), applied
        if now_s >= self._next_memory_s:
            self._next_memory_s = now_s + _LOOK_AT_MEMORY_EVERY_S
            self._look_at_memory()
        if now_s < self._next_look_s:
            return True
        was_whole_look = self._is_whole_look or bool(self.orders_lost)
        lost = self._lost_of_all() if was_whole_look else self._lost_of(self._next_batch())
        self._is_whole_look, self._next_look_s = False, now_s + _LOOK_EVERY_S
        if self._store.completeness.has_all_calls(list(self._calls)) and not lost:
            self._note(0 if was_whole_look else self.orders_lost)
            return True
        return not self._may_build_anew(lost, now_s, on_empty)

    def _look_at_memory(self) -> None:
        policy, evicted = self._store.completeness.memory()
        if policy != self._policy:
            self._policy, self.may_evict = policy, policy not in ("noeviction", "unknown")
            if policy != "noeviction":
                log.warning("redis_may_drop_orders", maxmemory_policy=policy)
        if evicted > self._evicted:
            log.error("redis_dropped_keys", count=evicted)
            self._look_at_all()
        self._evicted = evicted

    def _look_at_all(self) -> None:
        self._next_look_s, self._is_whole_look = 0.0, True

    def _next_batch(self) -> list[str]:
        """Return some orders, all of them in turn."""
        batch = list(itertools.islice(self._round, _BATCH))
        if not batch:
            self._round = iter(list(self._orders))
            batch = list(itertools.islice(self._round, _BATCH))
        return batch

    def _lost_of_all(self) -> set[str]:
        numbers = list(self._orders)
        batches = (numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH))
        return {number for batch in batches for number in self._lost_of(batch)}

    def _lost_of(self, numbers: list[str]) -> set[str]:
        there = ((number, self._orders[number]) for number in numbers if number in self._orders)
        known = {number: event_id for number, (event_id, position) in there if position <= self._applied}
        return set(self._store.completeness.lost(known)) if known else set()

    def _may_build_anew(self, lost: set[str], now_s: float, on_empty: Callable[[], None]) -> bool:
        """Empty Redis, unless that would lose more: what is there of a journal that no living node has.

        What is missing once more after that is only told, so that it is not emptied for ever.
        """
        missing = lost or {"calls"}
        self._note(len(missing))
        if missing <= self._mended or now_s < self._next_mend_s or self._others():
            return False
        self._mended |= missing
        self._next_mend_s = now_s + _MEND_EVERY_S
        log.error("redis_emptied_to_be_built_anew", orders_lost=len(lost), for_example=sorted(lost)[:5])
        on_empty()
        self._store.completeness.empty()
        self._look_at_all()
        return True

    def _others(self) -> set[str]:
        living = set() if self._has_own_redis else self._store.node_claims.journals_of_living()
        return self._store.completeness.journals() - living - {self._journal_id}

    def _note(self, orders_lost: int) -> None:
        if orders_lost and not self.orders_lost:
            log.error("redis_lost_orders", count=orders_lost)
        elif self.orders_lost and not orders_lost:
            log.info("redis_is_complete_again")
        self.orders_lost = orders_lost
