"""A trap in the node's own process: SIGKILL to itself the nth time a point is reached."""

from __future__ import annotations

import inspect
import os
import signal
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from tests.redis.kill.points import Point, Way
from tests.redis.kill.witness import Witness

BROKEN_TRAP = 70  # the status of a life whose trap failed


class Trap:
    """Set once, it springs the `nth` time its point is reached at `armed_at` or later."""

    def __init__(
        self, name: str, point: Point, armed_at: datetime, nth: int, *, now: Callable[[], datetime], witness: Witness
    ) -> None:
        self._name, self._point = name, point
        self._armed_at, self._left, self._now, self._witness = armed_at, nth, now, witness

    def set(self) -> None:
        """Put the trap into the function of its point."""
        owner, name = self._point.owner, self._point.name
        real = getattr(owner, name)
        is_coroutine = inspect.iscoroutinefunction(real)
        setattr(owner, name, self._around_coroutine(real) if is_coroutine else self._around(real))

    def _is_it(self, *args: Any) -> bool:
        if self._now() < self._armed_at or not self._point.only(*args):
            return False
        self._left -= 1
        return self._left == 0

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        way = self._point.way

        def instead(*args: Any, **named: Any) -> Any:
            if way is Way.AFTER:
                result = real(*args, **named)
                if self._is_it(*args, result):
                    self._die()
                return result
            if self._is_it(*args):
                if callable(way):
                    self._half(way, real, args)
                self._die()
            return real(*args, **named)

        return instead

    def _around_coroutine(self, real: Callable[..., Any]) -> Callable[..., Any]:
        async def instead(*args: Any, **named: Any) -> Any:
            if self._point.way is Way.BEFORE and self._is_it(*args):
                self._die()
            result = await real(*args, **named)
            if self._point.way is Way.AFTER and self._is_it(*args, result):
                self._die()
            return result

        return instead

    def _half(self, way: Callable[..., Any], real: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            way(real, *args)
        except Exception:  # a fault of the trap must end the life, and not be taken for one of the node
            traceback.print_exc()
            os._exit(BROKEN_TRAP)

    def _die(self) -> NoReturn:
        die(self._witness, self._now(), self._name)


def die(witness: Witness, at: datetime, point: str) -> NoReturn:
    """Kill this process as `kill -9` does, when the witness knows of it."""
    witness.saw("killed", at, point=point)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")
