"""Runs many small coroutines a few at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.python.failure import Failure

T = TypeVar("T")
# So many share a sync of the journal and an answer of Redis.
_AT_ONCE = 16


async def each(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], may_go_on: Callable[[], Awaitable[bool]]
) -> bool:
    """Do `work` with every item; return False, with the rest undone, once `may_go_on` says no.

    An error is raised when what was begun beside it has ended, too.
    """
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        if not await may_go_on():
            return False
        ended = await DeferredList([ensureDeferred(_awaited(work, item)) for item in batch], consumeErrors=True)
        for _, failure in ended:
            if isinstance(failure, Failure):
                failure.raiseException()
    return True


async def _awaited(work: Callable[[T], Awaitable[None]], item: T) -> None:
    await work(item)
