"""The HTTP endpoint through which the city's platform reports back: small, authenticated, on loopback by default.

POST /city/v1/orders/<order>/status with `Authorization: Bearer …` and `Idempotency-Key`; docs/city-platform.md tells
the rest. A proxy of the site does TLS. Whoever sends too much, too slowly, or too many at once is cut off.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from callback_scheduler.errors import IllegalTransition, JournalError, StaleOrder, StoreUnavailable, UnknownOrder
from callback_scheduler.notices.city.reports import STATUSES, NoReason, NotTheSameReport, Report, Reported, SameUnit
from config.notices import CityStatus
from routing.errors import UnknownUnit
from routing.from_outside import read_json

log = structlog.get_logger()

_PATH = re.compile(r"/city/v1/orders/([0-9]{6,20}(?:-[0-9]{1,4})?)/status")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_ANSWERS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownOrder, 404),
    (IllegalTransition, 409),
    (StaleOrder, 409),
    (SameUnit, 409),
    (NoReason, 422),
    (NotTheSameReport, 422),
    (UnknownUnit, 422),
    (StoreUnavailable, 503),
    (JournalError, 503),
)
_LONGEST_TEXT = 500
_site: Any = Site  # has no annotations


class CityStatusServer:
    """Serves the endpoint; `on_status` is given each report, and its errors become HTTP statuses."""

    def __init__(
        self, settings: CityStatus, reactor: Any, on_status: Callable[[Report], Awaitable[Reported]]
    ) -> None:
        self._settings, self._reactor = settings, reactor
        endpoint = _Endpoint(settings.token(), on_status)
        request = partial(_LimitedRequest, settings.max_body_bytes)
        site: Any = _site(endpoint, request, timeout=settings.timeout_s, reactor=reactor, parsePOSTFormSubmission=False)
        site.displayTracebacks = False
        self._guard = _Guard(site, reactor, settings)
        self._port: Any = None

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self._port.getHost().port)

    def start(self) -> None:
        """Listen."""
        self._port = self._reactor.listenTCP(self._settings.port, self._guard, interface=self._settings.host)
        log.info("city_status_listening", host=self._settings.host, port=self.port)

    async def stop(self) -> None:
        """Listen no longer, cut off who is there."""
        if self._port is not None:
            await self._port.stopListening()
            for connection in list(self._guard.protocols):
                connection.transport.abortConnection()


class _Refused(Exception):
    """The request is not as it should be; `status` tells the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Endpoint(Resource):
    isLeaf = True

    def __init__(self, token: str, on_status: Callable[[Report], Awaitable[Reported]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._token_hash = _hash(b"Bearer " + token.encode())
        self._on_status = on_status
        self._under_way: set[str] = set()

    def render(self, request: Any) -> int:
        ensureDeferred(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Any) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            report = self._report(request)
            status, answer = await self._taken(report)
        except _Refused as no:
            status, answer = no.status, {"错误": str(no)}
        except Exception:
            log.exception("city_report_failed", path=_shown(request.uri))
            status, answer = 500, {"错误": "internal error"}
        if status >= 400:
            log.warning("city_report_refused", status=status, path=_shown(request.uri), why=answer.get("错误"))
        if not gone:
            _respond(request, status, answer)

    async def _taken(self, report: Report) -> tuple[int, dict[str, Any]]:
        if report.message_id in self._under_way:
            raise _Refused(409, "a message of this number is being worked on")
        self._under_way.add(report.message_id)
        try:
            done = await self._on_status(report)
        except tuple(kind for kind, _ in _ANSWERS) as wrong:
            status = next(status for kind, status in _ANSWERS if isinstance(wrong, kind))
            raise _Refused(status, str(wrong) or type(wrong).__name__) from wrong
        finally:
            self._under_way.discard(report.message_id)
        log.info("city_report_taken", order_id=done.order_id, reported=report.event.value, is_repeated=done.is_repeated)
        return 200, {"工单编号": done.order_id, "现状态": done.state, "重复消息": done.is_repeated}

    def _report(self, request: Any) -> Report:
        """Return what a request says; _Refused if it may not, or says nothing that can be understood."""
        if not hmac.compare_digest(_hash(request.getHeader("authorization") or b""), self._token_hash):
            raise _Refused(401, "the bearer token is missing or wrong")
        path = _PATH.fullmatch(request.path.decode("ascii", errors="replace"))
        if path is None:
            raise _Refused(404, "no such address")
        if request.method != b"POST":
            raise _Refused(405, "only POST")
        if not (request.getHeader("content-type") or "").lower().startswith("application/json"):
            raise _Refused(415, "the body must be application/json")
        message_id = request.getHeader("idempotency-key") or ""
        if not _KEY.fullmatch(message_id):
            raise _Refused(400, "Idempotency-Key is missing, or not 1 to 128 visible ASCII characters")
        fields = _json_object(request.content.read())
        event = STATUSES.get(_text(fields, "状态"))
        if event is None:
            raise _Refused(422, f"状态 is one of {'、'.join(STATUSES)}")
        return Report(
            message_id, path[1], event, _text(fields, "经办人"), _text(fields, "说明"), _text(fields, "承办单位")
        )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = read_json(body)
    except ValueError as wrong:
        raise _Refused(400, f"the body is no JSON: {wrong}") from wrong
    if not isinstance(fields, dict):
        raise _Refused(400, "the body is no JSON object")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise _Refused(422, f"{name} is no text of at most {_LONGEST_TEXT} characters")
    return value.strip()


def _hash(text: bytes | str) -> bytes:
    """Return a hash, so that what is compared in constant time has a constant length too."""
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).digest()


def _shown(uri: bytes) -> str:
    return uri[:100].decode("ascii", errors="replace")


def _respond(request: Any, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer, ensure_ascii=False).encode(errors="replace")
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json; charset=utf-8")
    request.setHeader("content-length", str(len(body)))
    for name, value in {401: {"www-authenticate": "Bearer"}, 405: {"allow": "POST"}, 503: {"retry-after": "5"}}.get(
        status, {}
    ).items():
        request.setHeader(name, value)
    request.write(body)
    request.finish()


class _LimitedRequest(Request):
    """A request whose body is not even read when it is longer than allowed."""

    channel: HTTPChannel

    def __init__(self, limit_bytes: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._limit_bytes, self._received_bytes, self._is_cut_off = limit_bytes, 0, False

    def gotLength(self, length: int | None) -> None:
        is_too_long = length is not None and length > self._limit_bytes
        super().gotLength(0 if is_too_long else length)  # type: ignore[no-untyped-call]
        if is_too_long:
            self._cut_off()

    def handleContentChunk(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._received_bytes > self._limit_bytes:
            self._cut_off()
        elif not self._is_cut_off:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def process(self) -> None:
        if not self._is_cut_off:
            super().process()  # type: ignore[no-untyped-call]

    def _cut_off(self) -> None:
        if self._is_cut_off:
            return
        self._is_cut_off = True
        transport: Any = self.channel.transport
        transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.loseConnection()


class _Connection(ProtocolWrapper):
    """A connection that ends in time, whatever its client does or does not do."""

    factory: _Guard

    def connectionMade(self) -> None:
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._end = self.factory.reactor.callLater(self.factory.lifetime_s, self.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._end.active():
            self._end.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class _Guard(WrappingFactory):
    """Lets so many connections in at once, each for so long."""

    protocol = _Connection

    def __init__(self, site: Site, reactor: Any, settings: CityStatus) -> None:
        super().__init__(site)  # type: ignore[no-untyped-call]
        self.reactor, self.lifetime_s = reactor, settings.timeout_s * 2
        self._most = settings.max_connections

    def buildProtocol(self, addr: Any) -> Any:
        return super().buildProtocol(addr) if len(self.protocols) < self._most else None
