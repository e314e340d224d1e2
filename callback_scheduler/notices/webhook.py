"""Posts events to one HTTP address, each signed, so that the receiver knows who wrote and that nothing was changed.

Headers: `Idempotency-Key` (the event's id, the same each time it is sent), `X-Hotline-Timestamp` (Unix seconds of this
try), `X-Hotline-Key-Id`, and `X-Hotline-Signature`: `v1=` and the HMAC-SHA256, in hex, of timestamp, a full stop, body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError, TimeoutError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web import client as twisted_client
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from callback_scheduler.errors import NotDelivered, NoticeRefused, ReceiverClosed
from callback_scheduler.ledger.feed import Letter
from callback_scheduler.notices.disclosure import disclosed
from config.errors import ConfigError, Fault
from config.notices import HttpReceiver

client: Any = twisted_client  # most of it has no annotations
_ANSWER_BYTES = 2048  # of the answer's body are read, for the reason of a refusal
_TRY_AGAIN = (408, 425, 429)
# About us or the address, not about the letter: a key changed on one side first, a proxy without the way behind it.
_LETS_NOBODY_IN = (401, 402, 403, 404, 405, 407, 410, 451)
_AWAY: tuple[type[Exception], ...] = (
    ConnectError, ConnectionClosed, DNSLookupError, TimeoutError,
    client.ResponseFailed, client.RequestTransmissionFailed,
)  # fmt: skip
Body = Callable[[Letter], dict[str, Any]]


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of `X-Hotline-Signature`."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """A receiver reached by HTTP; `body` gives the JSON of an event, the product's own unless told otherwise.

    ConfigError if its secret or its authorities' certificates cannot be read.
    """

    at_once = 1
    gather_s = 0.0

    def __init__(
        self, name: str, settings: HttpReceiver, reactor: Any, now: Callable[[], datetime], body: Body | None = None
    ) -> None:
        self.name = name
        self.parallel = settings.parallel
        self.starts_at_beginning = settings.starts_at == "beginning"
        self._settings, self._reactor, self._now = settings, reactor, now
        self._secret = settings.secret()
        self._body = body or self._own_body
        self._connections = client.HTTPConnectionPool(reactor, persistent=True)
        self._connections.maxPersistentPerHost = settings.parallel
        self._agent = client.Agent(
            reactor, _policy(settings), connectTimeout=settings.timeout_s, pool=self._connections
        )

    def lane(self, letter: Letter) -> str:
        """Return the order's number: its events are told one after the other, repeated calls it took up among them."""
        event = letter[1]
        if event.event_type not in self._settings.events:
            return ""
        return str(event.payload.get("merged_into") or event.payload["order_id"])

    async def deliver(self, letters: Sequence[Letter]) -> None:
        """Post one event; NotDelivered if nobody took it, ReceiverClosed if all would be answered so.

        NoticeRefused after another 4xx, but for those that ask to try again.
        """
        (letter,) = letters
        body = json.dumps(self._body(letter), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        exchange = Deferred.fromCoroutine(self._post(letter[1].event_id, letter[1].event_type, body))
        exchange.addTimeout(self._settings.timeout_s, self._reactor, self._is_late)
        try:
            status, headers, answer = await exchange
        except _AWAY as away:
            raise NotDelivered(_words(away)) from away
        if 200 <= status < 300:
            return
        if status in _LETS_NOBODY_IN:
            raise ReceiverClosed(f"HTTP {status} {answer}".strip(), self._asked_pause_s(headers))
        if 400 <= status < 500 and status not in _TRY_AGAIN:
            raise NoticeRefused(f"HTTP {status} {answer}".strip())
        raise NotDelivered(f"HTTP {status} {answer}".strip(), self._asked_pause_s(headers))

    async def _post(self, event_id: str, event_type: str, body: bytes) -> tuple[int, Headers, str]:
        timestamp = str(int(self._now().timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "hotline-12345",
            "Idempotency-Key": event_id,
            "X-Hotline-Event": event_type,
            "X-Hotline-Timestamp": timestamp,
            "X-Hotline-Key-Id": self._settings.key_id,
            "X-Hotline-Signature": signature(self._secret, timestamp, body),
        }
        url = self._settings.url.encode()
        lines = Headers({name: [value] for name, value in headers.items()})
        response: Any = await self._agent.request(b"POST", url, lines, _Bytes(body))
        return response.code, response.headers, await _beginning(response)

    def _is_late(self, outcome: object, timeout_s: float) -> Failure:
        return Failure(NotDelivered(f"no answer within {timeout_s:g} s"))

    async def stop(self) -> None:
        """Close idle connections."""
        await self._connections.closeCachedConnections()

    def _own_body(self, letter: Letter) -> dict[str, Any]:
        """Return the event as the journal has it; docs/notices.md describes it."""
        position, event = letter
        return {
            "event_id": event.event_id,
            "sequence": position,
            "type": event.event_type,
            "at": event.at.isoformat(),
            "order_id": str(event.payload["order_id"]),
            "order": disclosed(event.payload, self._settings.phone_numbers),
        }

    def _asked_pause_s(self, headers: Headers) -> float:
        """Return the seconds of `Retry-After` (RFC 9110 10.2.3), 0 if there is none that can be read."""
        text = (headers.getRawHeaders("retry-after") or [""])[0].strip()
        if text.isdecimal():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return max(0.0, (moment - self._now()).total_seconds())


def _words(away: Exception) -> str:
    """Return why a connection failed, with what Twisted has put inside a ResponseFailed."""
    inner = [str(reason.value) for reason in getattr(away, "reasons", [])]
    return "; ".join(filter(None, inner)) or str(away) or type(away).__name__


def _policy(settings: HttpReceiver) -> Any:
    if settings.ca_file is None:
        return client.BrowserLikePolicyForHTTPS()
    try:
        parts = settings.ca_file.read_text(encoding="ascii").split("-----END CERTIFICATE-----")
        found = [f"{part}-----END CERTIFICATE-----\n" for part in parts if "BEGIN CERTIFICATE" in part]
        authorities = [Certificate.loadPEM(text.encode()) for text in found]
    except Exception as wrong:  # whatever OpenSSL dislikes about a file
        raise ConfigError([Fault(str(settings.ca_file), 0, "", f"holds no certificates: {wrong}")]) from wrong
    if not authorities:
        raise ConfigError([Fault(str(settings.ca_file), 0, "", "holds no certificates")])
    return client.BrowserLikePolicyForHTTPS(trustRootFromCertificates(authorities))


@implementer(IBodyProducer)
class _Bytes:
    """A body in memory, written at once: in one packet with the headers it waits for nobody's delayed ACK."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All was given at once."""

    def resumeProducing(self) -> None:
        """All was given at once."""

    def stopProducing(self) -> None:
        """All was given at once."""


class _Beginning(Protocol):
    """Reads the first bytes of an answer, and breaks off one that goes on for ever."""

    transport: Any

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self.transport.loseConnection())
        self._read = b""

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        if len(self._read) > 32 * _ANSWER_BYTES:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(self._read)


async def _beginning(response: Any) -> str:
    reader = _Beginning()
    response.deliverBody(reader)
    read = await reader.done
    return " ".join(read[:_ANSWER_BYTES].decode(errors="replace").split())[:200]
