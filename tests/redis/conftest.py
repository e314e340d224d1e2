"""What the tests of ledger and store need: a reactor in a thread of its own, and real Redis servers.

The reactor runs in one background thread for the whole session, without signal handlers (Redis is watched by a
thread, not by SIGCHLD). A test calls `in_reactor(coroutine_function, ...)` and gets the result, or its exception.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed_reactor
from twisted.internet import threads
from twisted.internet.defer import ensureDeferred
from twisted.internet.process import reapAllProcesses
from twisted.internet.task import LoopingCall

from callback_scheduler.store.embedded_redis import EmbeddedRedis, redis_server_binary
from callback_scheduler.store.store import Store
from tests.redis.nodes import InReactor, Node
from tests.redis.receivers import SECRET, HttpReceiver, http_receiver
from tests.redis.telling import TellingNode

reactor: Any = installed_reactor  # Twisted gives the module this type's name, not its interface


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)


@pytest.fixture(scope="session")
def in_reactor() -> Iterator[InReactor]:
    """Run a coroutine function in the reactor's thread and wait for what it returns."""
    thread = threading.Thread(target=_run_reactor, name="reactor", daemon=True)
    thread.start()

    def call(coroutine: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return threads.blockingCallFromThread(reactor, lambda: ensureDeferred(coroutine(*args, **kwargs)))

    yield call
    reactor.callFromThread(reactor.stop)
    thread.join(10)


def _run_reactor() -> None:
    # without signal handlers nobody tells it of a child that ended after its pipes had closed
    LoopingCall(reapAllProcesses).start(0.2)
    reactor.run(installSignalHandlers=False)


@pytest.fixture(params=["embedded", "system"], scope="session")
def redis_binary(request: pytest.FixtureRequest) -> Path:
    """Both the redis-server that comes with us and that of the machine."""
    if request.param == "embedded":
        return redis_server_binary()
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("NOT TESTED against a redis-server of the system: there is none on PATH (apt install redis-server)")
    return Path(found)


@pytest.fixture
def server(redis_binary: Path, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis server with nothing in it."""
    made = EmbeddedRedis(tmp_path / "server", binary=redis_binary)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(server: EmbeddedRedis) -> Iterator[Store]:
    """A store in a Redis with nothing in it."""
    made = Store.connect(server.url)
    yield made
    made.close()


@pytest.fixture
def node(tmp_path: Path, in_reactor: InReactor) -> Iterator[Node]:
    """A node with an embedded Redis; not started."""
    made = Node(tmp_path / "var", in_reactor)
    yield made
    if hasattr(made, "ledger"):
        made.stop()


@pytest.fixture
def telling(tmp_path: Path, in_reactor: InReactor, monkeypatch: pytest.MonkeyPatch) -> Iterator[TellingNode]:
    """A node with notices; not started."""
    monkeypatch.setenv("TEST_SECRET", SECRET)
    made = TellingNode(tmp_path / "var", in_reactor)
    yield made
    if hasattr(made, "ledger"):
        made.stop()


@pytest.fixture
def board() -> Iterator[HttpReceiver]:
    """A receiver of webhooks that takes everything, until told otherwise."""
    with http_receiver() as receiver:
        yield receiver
