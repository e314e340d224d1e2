"""Plays a short rehearsal of a site that is being previewed, in a child process that ends with this one."""

from __future__ import annotations

import json
import os
import pickle
import sys
from datetime import date
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol, connectionDone
from twisted.python.failure import Failure

from callback_scheduler.rehearsal.child import Wanted
from routing.site import Site

_PROGRAM = "from callback_scheduler.rehearsal.child import main; main()"


class RehearsalFailed(Exception):
    """The rehearsal did not come to its end; the message is the last that was heard of it."""


class _Child(ProcessProtocol):
    """Asks once, and collects what is said."""

    transport: Any

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._out, self._err = bytearray(), bytearray()
        self.ended: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._question)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._out += data

    def errReceived(self, data: bytes) -> None:
        self._err += data

    def processEnded(self, reason: Failure = connectionDone) -> None:
        if isinstance(reason.value, ProcessDone):
            self.ended.callback(bytes(self._out))
        else:
            last = self._err.decode(errors="replace").strip().rpartition("\n")[2]
            self.ended.errback(RehearsalFailed(last or reason.getErrorMessage()))


async def trial_rehearsal(
    site: Site, reactor: Any, *, since: date, until: date, orders: int, seed: int, most_s: float
) -> dict[str, Any]:
    """Return what `hotline rehearse --json` would print, of the breaches the first twenty.

    RehearsalFailed if it fails or takes longer than `most_s`.
    """
    child = _Child(pickle.dumps(Wanted(site, since, until, orders, seed, os.getpid())))
    command = [sys.executable, "-c", _PROGRAM]
    process = reactor.spawnProcess(child, sys.executable, command, env=dict(os.environ))
    timer = reactor.callLater(most_s, process.signalProcess, "TERM")
    try:
        found: dict[str, Any] = json.loads(await child.ended)
    finally:
        if timer.active():
            timer.cancel()
    return found
