"""Runs a node as a process: signals, standard input and output, the log."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, MutableMapping
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
from config.errors import ConfigError
from node.console_port import OpenConsole
from node.data_dir import PRIVATE_UMASK
from node.error_texts import cut, error_text
from node.node import Node
from node.ways_out import what_to_do
from routing.clock import MovableClock, SystemClock
from routing.site import Site
from routing.visible import visible

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
    os.umask(0o077)  # what the service writes, and its lines and its Redis, is for its own user only
    # Twisted counts by the wall clock: set back an hour, it would leave every timer waiting for an hour
    reactor.seconds = time.monotonic
    try:
        node = Node(site, MovableClock(at) if at else SystemClock(), open_console)
    except (OSError, ValueError) as wrong:
        _log_failed_start(wrong)
        return 1
    status = 0
    stopping: list[Deferred[None]] = []

    def stop() -> None:
        if not stopping:
            stopping.append(ensureDeferred(node.stop()))
            stopping[0].addErrback(lambda failure: log.error("stop_failed", error=str(failure)))
            stopping[0].addBoth(lambda _: reactor.stop())

    node.drain.end = stop

    def end() -> None:
        """End when the last call is over; asked once more, at once."""
        if node.drain.has_begun:
            stop()
        else:
            node.drain.begin()

    def ready(_: object) -> None:
        print(json.dumps({"event": "service_started", "sip": site.settings.sip.listen, "pid": os.getpid()}), flush=True)

    def broken(failure: Failure) -> None:
        nonlocal status
        if stopping:  # it was told to, and whatever failed was being ended at that moment
            log.info("start_called_off", error=failure.getErrorMessage())
            return
        status = 1
        assert failure.value is not None
        _log_failed_start(failure.value)
        stop()

    def start() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reactor.callFromThread(end))
        if ends_with_stdin:
            StandardIO(_EndsWithStdin(stop), reactor=reactor)
        ensureDeferred(node.start()).addCallbacks(ready, broken)

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=True)
    return status


def _log_failed_start(wrong: BaseException) -> None:
    """Say why there is no service, and the way out."""
    told = {"error": str(wrong), "what_to_do": what_to_do(wrong)}
    if not isinstance(wrong, (SchedulerError, ConfigError)):  # whose message says where and what
        told["traceback"] = error_text(wrong)
    log.error("start_failed", **told)


def _log_twisted(event: dict[str, Any]) -> None:
    """Log what Twisted has to say only when something went wrong: an error nobody handled must not be silent."""
    if event["log_level"] >= LogLevel.error:
        failure = event.get("log_failure")
        log.error("twisted_error", text=formatEvent(event), traceback=error_text(failure and failure.value))


def _bounded(logger: Any, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say where an error came from, and let no value be longer than a page: a caller's words may be."""
    exc_info = entry.pop("exc_info", None)
    wrong = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1] if exc_info else None
    if wrong is not None:
        entry["exception"] = error_text(wrong)
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = cut(value)
    return entry


def _printable(logger: Any, method: str, line: Any) -> str:
    """Write out what a terminal would obey; in JSON it means the same."""
    return visible(line)


def _log_as_json() -> None:
    globalLogBeginner.beginLoggingTo([cast(Any, _log_twisted)], redirectStandardIO=False, discardBuffer=True)
    _configure_log()


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            _bounded,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            _printable,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
