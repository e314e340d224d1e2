"""Finds what a test left behind, and starts processes that cannot outlive it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

# every process that a test starts, directly or not, inherits this from the environment, also when it is orphaned
MARK = "HOTLINE_TEST_RUN"

_LAUNCHER = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"  # PR_SET_PDEATHSIG, SIGKILL; it stays over exec
    "os.getppid() == int(sys.argv[1]) or os._exit(1)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)


def dying_with_us(command: list[str]) -> list[str]:
    """Return `command` so that its process is killed when the one that starts it dies, even by kill -9."""
    return [sys.executable, "-c", _LAUNCHER, str(os.getpid()), *command]


def of_this_run() -> Iterator[psutil.Process]:
    """Yield every living process of this test run but its own."""
    mark = os.environ[MARK]
    for process in psutil.process_iter():
        try:
            is_ours = process.pid != os.getpid() and process.environ().get(MARK) == mark
            is_alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if is_ours and is_alive:
            yield process


def own_ports() -> set[tuple[str, int]]:
    """Return the kind and number of each port that this process itself has open on the network."""
    return {
        (connection.type.name, connection.laddr.port)
        for connection in psutil.Process().net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }


def told(process: psutil.Process) -> str:
    """Return a process in one line: its id, its command and the ports it has open."""
    try:
        ports = sorted({connection.laddr.port for connection in process.net_connections("inet")})
        return f"{process.pid} {' '.join(process.cmdline())[:120]} ports {ports}"
    except psutil.Error:
        return f"{process.pid} (gone)"


@dataclass(frozen=True)
class There:
    """What is there at a moment: processes of this run, ports of this process, names in the temporary folder."""

    pids: frozenset[int]
    ports: frozenset[tuple[str, int]]
    files: frozenset[str]


def what_is_there() -> There:
    """Return what a test that is about to begin has not left behind."""
    pids = frozenset(process.pid for process in of_this_run())
    return There(pids, frozenset(own_ports()), frozenset(os.listdir(tempfile.gettempdir())))


def left_after(wait_s: float, before: There) -> list[str]:
    """Return what is still there after `wait_s` and was not before; what was killed for it included."""
    until = time.monotonic() + wait_s
    while True:
        processes = [process for process in of_this_run() if process.pid not in before.pids]
        ports = own_ports() - before.ports
        files = set(os.listdir(tempfile.gettempdir())) - before.files
        if not (processes or ports or files) or time.monotonic() > until:
            break
        time.sleep(0.05)
    left = [told(process) for process in processes]
    left += [f"this process: {kind} port {port}" for kind, port in sorted(ports)]
    left += [f"in the temporary folder: {name}" for name in sorted(files)]
    for process in processes:  # the next module shall not fail for what this one left
        process.kill()
    return left


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Fail at the end when a process, port or temporary file that was not there at the beginning still is."""
    before = what_is_there()
    yield
    left = left_after(5.0, before)
    assert not left, "left behind:\n" + "\n".join(left)


@contextmanager
def marked_run() -> Iterator[None]:
    """Let every process that is started meanwhile carry our mark, unless one is set already."""
    if MARK in os.environ:
        yield
        return
    os.environ[MARK] = uuid.uuid4().hex
    yield
    del os.environ[MARK]
