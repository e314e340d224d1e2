"""Finds what a test left behind, and starts processes that cannot outlive it."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

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


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free for UDP and TCP right now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


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


def left_after(wait_s: float, known: set[int], known_ports: set[tuple[str, int]]) -> list[str]:
    """Return what is still there after `wait_s` and was not known before; what was killed for it included."""
    until = time.monotonic() + wait_s
    while True:
        processes = [process for process in of_this_run() if process.pid not in known]
        ports = own_ports() - known_ports
        if not (processes or ports) or time.monotonic() > until:
            break
        time.sleep(0.05)
    left = [told(process) for process in processes]
    left += [f"this process: {kind} port {port}" for kind, port in sorted(ports)]
    for process in processes:  # the next module shall not fail for what this one left
        process.kill()
    return left


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Fail at the end when a process or port that was not there at the beginning still is."""
    known, known_ports = {process.pid for process in of_this_run()}, own_ports()
    yield
    left = left_after(5.0, known, known_ports)
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
