"""From Twisted's requests to ours and back: the table of routes laid over klein."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import structlog
from klein import Klein
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.exceptions import HTTPException

from console.errors import BadInput, ConsoleError, NotFound, WrongMethod
from console.gate import Arrived, Gate
from console.http.messages import PLAIN, Response
from console.http.routes import Route
from console.http.security import HEADERS, NOT_KEPT, Security
from node.error_texts import error_text

log = structlog.get_logger()

Proxies = tuple[IPv4Network | IPv6Network, ...]


def _broken(wrong: BaseException) -> Response:
    """Return the answer to a request with which something went wrong beside the gate; it is logged under its id."""
    error_id = secrets.token_hex(4)
    log.error("gate_failed", error_id=error_id, error=error_text(wrong))
    text = f"The server failed; it has been recorded as {error_id}.\n"
    return Response(500, text.encode(), PLAIN, headers=(*HEADERS, NOT_KEPT))


class _Written(Resource):
    """A response as klein wants it: something that writes itself."""

    isLeaf = True

    def __init__(self, response: Response, security: Security) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._response, self._security = response, security

    def render(self, request: Any) -> int:
        """Write the answer; if that fails before anything is sent, say so instead."""
        try:
            return self._written(request, self._response)
        except Exception as wrong:
            if request.startedWriting:
                raise
            return self._written(request, _broken(wrong))

    def _written(self, request: Any, response: Response) -> int:
        request.setResponseCode(response.status)
        request.setHeader(b"content-type", response.content_type.encode())
        for name, value in response.headers:
            request.setHeader(name.lower().encode(), value.encode())
        for cookie in response.cookies:
            request.responseHeaders.addRawHeader(b"set-cookie", self._security.cookie(cookie).encode())
        if response.stream is not None:
            written = response.stream(request)
            if isinstance(written, bytes):  # static.File: nothing more to send, such as 304
                request.write(written)
                request.finish()
            return NOT_DONE_YET
        request.setHeader(b"content-length", b"%d" % len(response.body))
        if request.method != b"HEAD":
            request.write(response.body)
        request.finish()
        return NOT_DONE_YET


def resource(gate: Gate, table: Iterable[Route], security: Security, proxies: Proxies) -> IResource:
    """Return what serves all routes of `table`, and a page of ours for whatever is none of them."""
    app: Any = Klein()  # its annotations know none of our handlers
    for route in table:
        endpoint = f"{' '.join(route.methods)} {route.path}"
        app.route(route.path, methods=list(route.methods), endpoint=endpoint, strict_slashes=False)(
            _answering(gate, route, security, proxies)
        )

    async def refuse(request: Any, failure: Any) -> Resource:
        return _Written(await gate.refuse(_arrived(request, proxies), _refusal(failure.value)), security)

    app.handle_errors(HTTPException)(refuse)
    served: IResource = app.resource()
    return served


def _answering(gate: Gate, route: Route, security: Security, proxies: Proxies) -> Callable[..., Deferred[Resource]]:
    def answer(request: Any, **path_args: str) -> Deferred[Resource]:
        def send(response: Response) -> None:
            if not answered.called:
                answered.callback(_Written(response, security))

        async def answer_it() -> Response:
            return await gate.answer(_arrived(request, proxies), route, path_args)

        # klein cancels what it waits for when the browser goes away; an act is finished all the same
        answered: Deferred[Resource] = Deferred()
        ensureDeferred(answer_it()).addCallbacks(send, lambda failure: send(_broken(failure.value)))
        return answered

    return answer


def _refusal(wrong: HTTPException) -> ConsoleError:
    kinds: dict[int | None, type[ConsoleError]] = {404: NotFound, 405: WrongMethod, 308: NotFound}
    refusal = kinds.get(wrong.code, BadInput)()
    if isinstance(refusal, WrongMethod):
        refusal.allowed = tuple(sorted(getattr(wrong, "valid_methods", None) or ()))
    return refusal


def _arrived(request: Any, proxies: Proxies) -> Arrived:
    headers = {
        name.decode("ascii", "replace").lower(): values[-1].decode("utf-8", "replace")
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    path, _, query = request.uri.decode("utf-8", "replace").partition("?")
    return Arrived(
        method=request.method.decode("ascii", "replace"),
        path=path,
        query=query,
        headers=headers,
        cookies=_cookies(headers.get("cookie", "")),
        body=request.content,
        address=client_address(request.getClientAddress(), headers, proxies),
    )


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def client_address(peer: Any, headers: dict[str, str], proxies: Proxies) -> str:
    """Return who asks: the peer, or whom a proxy of ours names last in X-Forwarded-For."""
    host = str(getattr(peer, "host", ""))
    try:
        is_proxy = any(ip_address(host) in network for network in proxies)
        forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return str(ip_address(forwarded)) if is_proxy and forwarded else host
    except ValueError:
        return host
