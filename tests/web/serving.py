"""A real console in a process of its own, with fake operations: for browsers.

Arguments: folder [certificate key].
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import ensureDeferred

sys.path.insert(0, str(Path(__file__).parents[2]))

from config.console import ConsoleSettings
from console.site import WebConsole
from tests.fakes.operations import FakeOperations
from tests.web.visitors import FakeShelf

reactor: Any = installed_reactor


Prepare = Callable[[WebConsole], Awaitable[None]]


def serve(
    folder: Path, operations: FakeOperations, prepare: Prepare | None = None, **settings_of_console: Any
) -> None:
    """Serve until standard input is closed; prints where, and the first token, as the service does.

    `prepare` is awaited once the console listens.
    """
    console = ConsoleSettings(**{"enabled": True, "listen": "127.0.0.1:0"} | settings_of_console)
    settings = operations.settings.model_copy(update={"data_dir": folder, "console": console})
    web = WebConsole(operations, FakeShelf(), settings, reactor)
    failures: list[Any] = []

    async def begin() -> None:
        await web.start()
        if prepare is not None:
            await prepare(web)

    def start() -> None:
        beginning = ensureDeferred(begin())
        beginning.addErrback(failures.append)
        beginning.addCallback(lambda _: reactor.stop() if failures else None)
        threading.Thread(target=wait_for_parent, daemon=True).start()

    def wait_for_parent() -> None:
        sys.stdin.read()
        reactor.callFromThread(lambda: ensureDeferred(web.stop()).addBoth(lambda _: reactor.stop()))

    reactor.callWhenRunning(start)
    reactor.run()
    if failures:
        failures[0].raiseException()


if __name__ == "__main__":
    tls: dict[str, Any] = dict(zip(("tls_certificate", "tls_key"), sys.argv[2:], strict=False))
    serve(Path(sys.argv[1]), FakeOperations(), **tls)
