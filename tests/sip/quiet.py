"""Keeps the machine quiet while a test listens: no process of the session starts a service or plays a crowd meanwhile.

Calls mostly wait, so those of several tests go on side by side. But sound that is compared must not have been mixed on
a machine that had no time for it: who listens and who works hard wait for each other, in the order in which they came.
Any number may listen at once. What is no call at all stands back by its priority instead.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import pytest

from tests.leftovers import SESSION

_SHARED, _ALONE = fcntl.LOCK_SH, fcntl.LOCK_EX


class _Quiet:
    """This process's hold on the two locks of the session."""

    def __init__(self, folder: Path) -> None:
        # kept from asking for the other one until it is given, so that nobody is overtaken for ever
        self._turn = os.open(folder / "turn", os.O_RDWR | os.O_CREAT)
        self._quiet = os.open(folder / "quiet", os.O_RDWR | os.O_CREAT)
        self._held = 0

    @contextmanager
    def hold(self, how: int) -> Iterator[None]:
        """Hold the machine shared or alone; who holds it alone needs nothing more, who shares it gives it up for that.

        (A process does one thing at a time: what it shares the machine for does not go on meanwhile.)
        """
        before = self._held
        if before in (how, _ALONE):
            yield
            return
        self._become(how)
        try:
            yield
        finally:
            self._become(before)

    def _become(self, how: int) -> None:
        fcntl.flock(self._quiet, fcntl.LOCK_UN)
        self._held = how
        if how:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            fcntl.flock(self._quiet, how)
            fcntl.flock(self._turn, fcntl.LOCK_UN)


@cache
def _quiet() -> _Quiet | None:
    session = os.environ.get(SESSION)
    return _Quiet(Path(session)) if session else None  # outside of a session nobody else is there


def listening() -> AbstractContextManager[None]:
    """Let nobody begin to work hard meanwhile; waits until nobody does."""
    quiet = _quiet()
    return quiet.hold(_SHARED) if quiet else nullcontext()


def working_hard() -> AbstractContextManager[None]:
    """Work as hard as the machine can, once nobody listens."""
    quiet = _quiet()
    return quiet.hold(_ALONE) if quiet else nullcontext()


def as_marked(item: pytest.Item) -> AbstractContextManager[None]:
    """Return what a test runs in by its mark: `listens`, `works_hard` or neither."""
    if item.get_closest_marker("listens"):
        return listening()
    return working_hard() if item.get_closest_marker("works_hard") else nullcontext()
