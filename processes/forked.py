"""Lets a command that counts do part of its work in a process beside it, on another core."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from processes.die_with_parent import tie_to

_T = TypeVar("_T")


def begin(work: Callable[[], _T]) -> Callable[[], _T]:
    """Begin `work` in a fork of this process; what is returned waits for its result, or raises what it raised.

    For commands only: a fork of a process with threads or a reactor would be a half of one. The fork ends with us.
    """
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(work, writer, os.getpid()), daemon=True)
    child.start()
    writer.close()

    def result() -> _T:
        try:
            answer = reader.recv()
        except EOFError:
            child.join()
            raise RuntimeError(f"the process beside this one ended with {child.exitcode}") from None
        child.join()
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    return result


def _run(work: Callable[[], Any], writer: Connection, parent: int) -> None:
    tie_to(parent, signal.SIGKILL)
    try:
        answer = work()
    except Exception as wrong:
        answer = wrong
    writer.send(answer)
