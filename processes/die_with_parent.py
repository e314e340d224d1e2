"""Become another program that ends when its parent ends, even by kill -9.

Run as a file, by a bare interpreter: `die_with_parent.py PARENT_PID LOCK_FILE PROGRAM [ARGUMENT...]`. The lock is
kept by the program for its life, so that a second one waits until the first is really gone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
_LOOK_S = 1.0


def tie_to(parent: int, number: signal.Signals) -> None:
    """Let this process get a signal when its parent ends; ends it now if that has happened already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before prctl: nobody would tell us any more
        sys.exit(1)


def end_soon_after(parent: int, grace_s: float) -> None:
    """Let this process not outlive its parent by more than about `grace_s`, whatever its own threads wait for.

    For a process that is told of its parent's end by a signal it may catch, to tidy up.
    """
    threading.Thread(target=_outwatch, args=(parent, grace_s), name="outwatch", daemon=True).start()


def _outwatch(parent: int, grace_s: float) -> None:
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(_LOOK_S)
    never.wait(grace_s)
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, take the lock, and become the program."""
    parent, lock_file, program = int(arguments[0]), arguments[1], arguments[2]
    tie_to(parent, signal.SIGKILL)
    lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    os.execv(program, arguments[2:])


if __name__ == "__main__":
    main(sys.argv[1:])
