"""Short-lived texts in the ledger's Redis, such as the sessions of the console.

Nothing here is in the journal: what is lost with Redis is lost, and who needed it asks again (logs in again).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from callback_scheduler.store.store import Store

_T = TypeVar("_T")
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class ExpiringTexts:
    """Texts by key, each for so many seconds; StoreUnavailable while Redis is away. `in_thread` runs what blocks."""

    def __init__(self, store: Store, in_thread: InThread, name: str) -> None:
        self._store, self._in_thread, self._name = store, in_thread, name

    async def put(self, key: str, text: str, ttl_s: float) -> None:
        """Keep `text` for `ttl_s`, in place of what was there."""
        await self._ask(lambda redis, name: redis.set(name, text, px=max(1, round(ttl_s * 1000))), key)

    async def replace(self, key: str, text: str, ttl_s: float) -> None:
        """Keep `text` for `ttl_s` if there is something under the key; what was dropped stays dropped."""
        await self._ask(lambda redis, name: redis.set(name, text, px=max(1, round(ttl_s * 1000)), xx=True), key)

    async def get(self, key: str) -> str | None:
        """Return what is kept under a key, None if nothing is (any more)."""
        found: str | None = await self._ask(lambda redis, name: redis.get(name), key)
        return found

    async def drop(self, *keys: str) -> None:
        """Keep nothing under these keys any more."""
        for key in keys:
            await self._ask(lambda redis, name: redis.delete(name), key)

    async def _ask(self, question: Callable[[Any, str], _T], key: str) -> _T:
        name = self._store.key(self._name, key)
        answer: _T = await self._in_thread(lambda: self._store.ask(lambda redis: question(redis, name)))
        return answer
