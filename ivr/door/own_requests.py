"""Requests the door sends on its own account (BYE, CANCEL, REGISTER), repeated until answered (RFC 3261 17.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.base import DelayedCall

from ivr.sip.message import SipMessage
from ivr.sip.sockets import Hop, Sockets, guarded

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 64 * T1_S
MAX_OPEN = 4096

OnAnswer = Callable[[SipMessage | None], None]


@dataclass(slots=True)
class _Open:
    message: bytes
    hop: Hop
    on_answer: OnAnswer
    give_up_at: float
    wait_s: float = T1_S
    timer: DelayedCall | None = None


class OwnRequests:
    """The requests that wait for an answer, by branch and method."""

    def __init__(self, reactor: Any, sockets: Sockets) -> None:
        self._reactor, self._sockets = reactor, sockets
        self._open: dict[tuple[bytes, str], _Open] = {}

    def send(self, message: bytes, branch: bytes, method: str, hop: Hop, on_answer: OnAnswer) -> None:
        """Send; `on_answer` gets the final answer, or None when none came within 32 s or it could not be sent."""
        if len(self._open) >= MAX_OPEN:
            on_answer(None)
            return
        one = _Open(message, hop, on_answer, self._reactor.seconds() + GIVE_UP_S)
        self._open[branch, method] = one
        self._sockets.send(message, hop, lambda: self._done((branch, method), None))
        if (branch, method) in self._open:
            one.timer = self._reactor.callLater(T1_S, self._again, (branch, method))

    def takes(self, answer: SipMessage, source: Hop) -> bool:
        """Tell whether `answer` is to one of these requests and from whom it was sent to; if so it is dealt with."""
        key = (answer.via.branch if answer.via else b"", answer.cseq_method)
        one = self._open.get(key)
        if one is None or one.hop.host != source.host:
            return False
        if answer.status >= 200:
            self._done(key, answer)
        else:
            one.wait_s = T2_S
        return True

    def expects(self, host: str) -> bool:
        """Tell whether an answer may come from `host`."""
        return any(one.hop.host == host for one in self._open.values())

    def forget_all(self) -> None:
        """Stop repeating; nobody is told."""
        for one in self._open.values():
            if one.timer is not None and one.timer.active():
                one.timer.cancel()
        self._open.clear()

    def _again(self, key: tuple[bytes, str]) -> None:
        one = self._open[key]
        if self._reactor.seconds() >= one.give_up_at:
            self._done(key, None)
            return
        if one.hop.transport == "udp":
            self._sockets.send(one.message, one.hop)
        one.wait_s = min(2 * one.wait_s, T2_S)
        one.timer = self._reactor.callLater(
            min(one.wait_s, max(0.0, one.give_up_at - self._reactor.seconds())), self._again, key
        )

    def _done(self, key: tuple[bytes, str], answer: SipMessage | None) -> None:
        one = self._open.pop(key, None)
        if one is None:
            return
        if one.timer is not None and one.timer.active():
            one.timer.cancel()
        guarded(one.on_answer, answer)
