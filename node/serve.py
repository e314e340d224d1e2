"""Runs a node as a process: signals, standard input and output, the log."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import structlog
from twisted.internet import protocol
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.logger import LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure

from callback_scheduler.errors import SchedulerError
from node.console_port import OpenConsole
from node.data_dir import PRIVATE_UMASK
from node.node import Node
from routing.clock import MovableClock, SystemClock
from routing.site import Site

log = structlog.get_logger()
reactor: Any = installed_reactor  # Twisted gives the module this type's name, not its interface


class _EndsWithStdin(protocol.Protocol):
    """Ends the service when whoever started it is gone."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._end()


def serve(
    site: Site, at: datetime | None = None, ends_with_stdin: bool = False, open_console: OpenConsole | None = None
) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit status: 0, or 1 if it could not start.

    With `at` the clock is set to that moment and can be moved by an operator. Log lines go to standard error;
    standard output gets one line of JSON when the service is ready.
    """
    os.umask(PRIVATE_UMASK)  # also of lines, voice and Redis, which are born of this process
    _log_as_json()
    # Twisted counts by the wall clock: set back an hour, it would leave every timer waiting for an hour
    reactor.seconds = time.monotonic
    node = Node(site, MovableClock(at) if at else SystemClock(), open_console)
    status = 0
    stopping: list[Deferred[None]] = []

    def stop() -> None:
        if not stopping:
            stopping.append(ensureDeferred(node.stop()))
            stopping[0].addErrback(lambda failure: log.error("stop_failed", error=str(failure)))
            stopping[0].addBoth(lambda _: reactor.stop())

    def ready(_: object) -> None:
        print(json.dumps({"event": "service_started", "sip": site.settings.sip.listen, "pid": os.getpid()}), flush=True)

    def broken(failure: Failure) -> None:
        nonlocal status
        if stopping:  # it was told to, and whatever failed was being ended at that moment
            log.info("start_called_off", error=failure.getErrorMessage())
            return
        status = 1
        if isinstance(failure.value, SchedulerError):  # its message says where and what
            log.error("start_failed", error=str(failure.value), what_to_do=failure.value.what_to_do)
        else:
            log.error("start_failed", error=failure.getErrorMessage(), traceback=failure.getTraceback())
        stop()

    def start() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reactor.callFromThread(stop))
        if ends_with_stdin:
            StandardIO(_EndsWithStdin(stop), reactor=reactor)
        ensureDeferred(node.start()).addCallbacks(ready, broken)

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=True)
    return status


def _log_twisted(event: dict[str, Any]) -> None:
    """Log what Twisted has to say only when something went wrong: an error nobody handled must not be silent."""
    if event["log_level"] >= LogLevel.error:
        failure = event.get("log_failure")
        log.error("twisted_error", text=formatEvent(event), traceback=failure.getTraceback() if failure else "")


def _log_as_json() -> None:
    globalLogBeginner.beginLoggingTo([cast(Any, _log_twisted)], redirectStandardIO=False, discardBuffer=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
