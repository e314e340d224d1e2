"""Requests on their way through the door: what the sender wrote is given back to it in every answer (RFC 3261 8.2.6.2).

A line sees nothing of it but what it needs (see `inward`), so the door must remember the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.sip.message import SipMessage

MOST_IN_A_DIALOG = 24
OPEN_S = 32.0  # RFC 3261 17: 64 * T1, after which a request without answer has failed


@dataclass(slots=True)
class Exchange:
    """One request and its answers. `top_via` is where answers go; `vias` are whole header values as they came."""

    method: str
    cseq: int
    is_from_line: bool
    top_via: bytes
    vias: tuple[bytes, ...]
    from_: bytes
    to: bytes
    call_id: bytes
    begun_at: float = 0.0
    record_routes: tuple[bytes, ...] = ()
    last_answer: bytes = b""  # as it was sent to the network: a request that comes again gets it again
    has_final: bool = False


class Exchanges:
    """The exchanges of one dialog by branch and method; bounded, finished ones go first."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[bytes, str], Exchange] = {}

    def begin(self, message: SipMessage, branch: bytes, now: float, *, is_from_line: bool) -> Exchange:
        """Remember a request (source stamped) that passes with the door's `branch`; a known one stays as it is."""
        key = (branch, message.method)
        if key not in self._by_key:
            if len(self._by_key) >= MOST_IN_A_DIALOG:
                finished = (known for known, exchange in self._by_key.items() if exchange.has_final)
                del self._by_key[next(finished, next(iter(self._by_key)))]
            self._by_key[key] = Exchange(
                message.method, message.cseq, is_from_line, message.top(b"via") or b"",
                tuple(message.every(b"via")), message.first(b"from") or b"", message.first(b"to") or b"",
                message.call_id, now, tuple(message.every(b"record-route")),
            )  # fmt: skip
        return self._by_key[key]

    def find(self, branch: bytes, method: str) -> Exchange | None:
        """Return the request an answer belongs to, or one that has come before."""
        return self._by_key.get((branch, method))

    def is_open(self, method: str, now: float, *, is_from_line: bool) -> bool:
        """Tell whether a request of one side waits for its final answer."""
        return any(
            exchange.method == method and exchange.is_from_line == is_from_line and not exchange.has_final
            and now - exchange.begun_at < OPEN_S
            for exchange in self._by_key.values()
        )  # fmt: skip
