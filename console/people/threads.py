"""How the console does what blocks: in a thread of a pool, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class InThread(Protocol):
    """Runs `work` in a thread; awaited, it gives what that returned, or raises what that raised."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...
