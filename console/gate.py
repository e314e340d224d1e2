"""The gate: every request passes here, and no handler runs before it is known who asks, and that they may."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote

import structlog
from twisted.internet.defer import Deferred, ensureDeferred

from callback_scheduler.errors import JournalError, JournalWriteFailed, SchedulerError, StoreError, UnknownOrder
from callback_scheduler.journal.journal import NO_SPACE
from config.console import ConsoleSettings
from console.errors import (
    BadInput,
    ConsoleError,
    Forged,
    Impossible,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    NotStored,
    Unavailable,
    WrongMethod,
)
from console.http import forms
from console.http.messages import HTML, Cookie, Response
from console.http.problems import PROBLEM, problem
from console.http.rate_limit import RateLimit
from console.http.routes import SAFE_METHODS, Route, is_api
from console.http.security import NOT_KEPT, same
from console.people.tokens import API, METRICS
from console.rendering.texts import DEFAULT, LANGUAGES
from console.visit import Console, Visit
from ivr.refused import OperationRefused
from node.error_texts import cut, error_text
from routing.clock import Clock
from routing.dial_rules import dial_rules

log = structlog.get_logger()

_FORM_COOKIE_S = 3600
_LONGEST_PATH = 200
_LANGUAGE_COOKIE_S = 31_536_000
# What the ledger cannot do, as who asks is told of it; the first that fits.
_ANSWERS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[], ConsoleError]], ...] = (
    (UnknownOrder, NotFound),
    (JournalWriteFailed, NotStored),
    ((StoreError, JournalError), Unavailable),
    (SchedulerError, lambda: Impossible(key="error.changed_meanwhile")),
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came from the network; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    cookies: dict[str, str]
    body: Any  # a file open for reading
    address: str


class Gate:
    """Answers requests; never raises."""

    def __init__(self, console: Console, settings: ConsoleSettings, clock: Clock, reactor: Any) -> None:
        self._console, self._people, self._security = console, console.people, console.security
        self._settings, self._reactor = settings, reactor  # an IReactorTime; zope's interfaces say little to mypy
        self._rates = RateLimit(settings, clock)

    async def answer(self, arrived: Arrived, route: Route, path_args: dict[str, str]) -> Response:
        """Return the answer to a request that the table has a route for."""
        visit = self._bare(arrived, route, path_args)
        try:
            visit = await self._identified(visit, arrived)
            self._authorise(visit)
            if arrived.method not in SAFE_METHODS:
                visit = self._with_form(visit, arrived)
                self._check_not_forged(visit)
            response = await self._handled(visit)
        except Exception as wrong:  # whatever a request does, the node goes on
            response = self._refusal(visit, wrong)
        response = await self._audited(visit, response)
        try:  # only now: the next page would say that something is done that may lie in the audit log alone
            response = await self._with_flashes(visit, response)
        except StoreError as away:
            log.warning("words_for_next_page_lost", route=visit.route.name, error=str(away))
        return self._finished(visit, response)

    async def refuse(self, arrived: Arrived, wrong: ConsoleError) -> Response:
        """Return the answer to a request that the table has no route for."""
        visit = self._bare(arrived, _NO_API_ROUTE if is_api(arrived.path) else _NO_ROUTE, {})
        try:
            visit = await self._identified(visit, arrived)  # who is logged in keeps the navigation
            refused: Exception = wrong
        except Exception as other:
            refused = other
        return self._finished(visit, self._refusal(visit, refused))

    # -- who asks -------------------------------------------------------------------------------------------------

    def _bare(self, arrived: Arrived, route: Route, path_args: dict[str, str]) -> Visit:
        security = self._security
        query = dict(parse_qsl(arrived.query, max_num_fields=100)) if arrived.query.count("&") < 100 else {}
        wished = query.get("lang") or arrived.cookies.get(security.language_cookie, "")
        return Visit(
            console=self._console, route=route, method=arrived.method, path=arrived.path, address=arrived.address,
            args=query | path_args, query=arrived.query, headers=arrived.headers, cookies=arrived.cookies,
            language=wished if wished in LANGUAGES else DEFAULT,
            form_token=arrived.cookies.get(security.form_cookie, "") or secrets.token_urlsafe(24),
        )  # fmt: skip

    async def _identified(self, visit: Visit, arrived: Arrived) -> Visit:
        if not self._security.is_ours(arrived.headers.get("host", "")):
            raise BadInput(key="error.host")
        if visit.route.scope:
            return self._identified_program(visit)
        if visit.route.is_impersonal:
            return visit
        try:
            login = await self._people.sessions.find(visit.cookies.get(self._security.session_cookie, ""))
        except StoreError:
            if not (visit.route.is_public and visit.method in SAFE_METHODS):
                raise
            login = None  # the page to log in is there for whoever has a stale cookie, too
        if login is None:
            return visit
        session, account = login
        if session.waits_for_code:
            return replace(visit, session=session)
        has_wish = "lang" in visit.args or self._security.language_cookie in visit.cookies
        language = visit.language if has_wish else account.language
        account = replace(account, number=self._dialled(account.number))
        return replace(visit, session=session, account=account, language=language)

    def _dialled(self, number: str) -> str:
        """Return the phone of an account as it is rung; "" if it may not be, whatever an earlier version kept."""
        return dial_rules(self._console.operations.settings).house(number) or ""

    def _identified_program(self, visit: Visit) -> Visit:
        kind, _, text = visit.headers.get("authorization", "").partition(" ")
        token = self._people.tokens.find(text, API) if kind.lower() == "bearer" else None
        if token is None:
            return self._identified_by_address(visit)
        self._rates.take(token.key)
        self._people.tokens.note_use(token)
        return replace(
            visit, token_name=token.name, token_unit_id=token.unit_id, scopes=frozenset(token.scopes)
        )

    def _identified_by_address(self, visit: Visit) -> Visit:
        """Let who asks from a network that may read the figures without a token be known as that."""
        if visit.route.scope == METRICS and self._settings.may_read_metrics(visit.address):
            return replace(visit, token_name="network", scopes=frozenset({METRICS}))
        return visit

    def _authorise(self, visit: Visit) -> None:
        route = visit.route
        if route.scope:
            if not visit.token_name:
                raise NotLoggedIn
            if route.scope not in visit.scopes:
                raise NotAllowed(key="error.scope")
        elif not route.is_public:
            if visit.account is None:
                raise NotLoggedIn
            if not route.serves(visit.role):
                raise NotAllowed

    # -- what is sent ---------------------------------------------------------------------------------------------

    def _with_form(self, visit: Visit, arrived: Arrived) -> Visit:
        sent = forms.read(arrived.body, arrived.headers, visit.route.max_body_bytes or self._most_bytes)
        return replace(visit, form=sent.fields, lists=sent.lists, files=sent.files, json=sent.json)

    @property
    def _most_bytes(self) -> int:
        return self._settings.max_body_bytes

    def _check_not_forged(self, visit: Visit) -> None:
        if visit.route.scope:
            return  # a token is sent by a program that means to, never by a browser on its own
        if not self._security.comes_from_us(visit.headers):
            raise Forged
        sent = visit.headers.get("x-csrf-token", "") or visit.form.get("csrf", "")
        form_cookie = visit.cookies.get(self._security.form_cookie, "")
        right = visit.session.csrf if visit.session else form_cookie
        if not same(sent, right):
            raise Forged

    # -- the answer -----------------------------------------------------------------------------------------------

    async def _handled(self, visit: Visit) -> Response:
        working: Deferred[Response] = ensureDeferred(visit.route.handler(visit))
        if visit.method in SAFE_METHODS:  # an act is never broken off in the middle
            working.addTimeout(self._settings.answer_s, self._reactor, onTimeoutCancel=_took_too_long)
        response = await working
        if visit.route.is_unmask:
            await self._note(visit, response.status)
        return response

    async def _with_flashes(self, visit: Visit, response: Response) -> Response:
        session = visit.session
        if session is None or any(one.name == self._security.session_cookie for one in response.cookies):
            return response
        if response.flash:
            await self._people.sessions.flash(session, *session.flashes, response.flash)
        elif session.flashes and response.status == 200 and response.content_type == HTML:
            await self._people.sessions.flash(session)
        return response

    async def _audited(self, visit: Visit, response: Response) -> Response:
        """Write who did what, and what was looked at if that says so; if it cannot be written, say so instead."""
        is_act = bool(visit.notes.result) or (visit.method not in SAFE_METHODS and bool(str(visit.actor)))
        is_act = is_act and not (visit.route.is_unmask and response.status < 400)  # written before it was answered
        if not is_act:
            return response
        try:
            await self._note(visit, response.status)
        except JournalError as wrong:
            log.error("audit_failed", route=visit.route.name, who=str(visit.actor), error=str(wrong))
            return self._refusal(visit, Unavailable(key="error.audit"))
        return response

    async def _note(self, visit: Visit, status: int) -> None:
        notes = visit.notes
        parts = (visit.args.get(name, "") for name in visit.route.part_names)
        await self._console.audit.write(
            str(visit.actor),
            visit.role.value if visit.role else "",
            visit.address,
            visit.route.name,
            about=notes.about or " ".join(part for part in parts if part),
            why=notes.why or visit.form.get("why", "") or visit.args.get("why", ""),
            result=f"{status} {notes.result}".strip(),
        )

    def _refusal(self, visit: Visit, wrong: Exception) -> Response:
        error = _as_console_error(wrong)
        error_id = ""
        if error.status == 500:
            error_id = secrets.token_hex(4)
            # as a text: whatever the log does with an exception must not keep a call waiting
            log.error(
                "console_failed", error_id=error_id, route=visit.route.name, path=cut(visit.path, _LONGEST_PATH),
                error=error_text(wrong),
            )  # fmt: skip
        retry = (("Retry-After", str(error.retry_after_s)),) if error.retry_after_s else ()
        allowed = (("Allow", ", ".join(error.allowed)),) if isinstance(error, WrongMethod) else ()
        text = self._words(visit, error, error_id)
        if visit.route.is_api:
            challenge = (("WWW-Authenticate", "Bearer"),) if error.status == 401 else ()
            body = problem(error.status, error.key, text, visit.path, error.faults)
            return Response(error.status, body, PROBLEM, (*retry, *challenge, *allowed))
        if "application/json" in visit.headers.get("accept", ""):
            answer = visit.answer({"error": {"key": error.key, "text": text}}, error.status)
            return replace(answer, headers=(*retry, *allowed))
        if isinstance(error, NotLoggedIn) and visit.method in SAFE_METHODS:
            return visit.go(f"/login?next={quote(visit.path)}")
        page = visit.page("error.html", error.status, code=error.status, text=text)
        return replace(page, headers=(*retry, *allowed))

    def _words(self, visit: Visit, error: ConsoleError, error_id: str) -> str:
        """Return the reason in the language of whoever asks; what the node says is Chinese, unless a text stands in."""
        if error.text and (visit.language == DEFAULT or not visit.has_text(error.key)):
            return error.text
        return visit.t(error.key, seconds=error.retry_after_s, error_id=error_id)

    def _finished(self, visit: Visit, response: Response) -> Response:
        cookies = list(response.cookies)
        security = self._security
        needs_form = visit.session is None and response.content_type == HTML and not visit.route.is_api
        if needs_form and security.form_cookie not in visit.cookies:
            cookies.append(Cookie(security.form_cookie, visit.form_token, _FORM_COOKIE_S))
        if visit.args.get("lang") in LANGUAGES and not visit.route.is_api:
            cookies.append(Cookie(security.language_cookie, visit.language, _LANGUAGE_COOKIE_S))
        names = {name.lower() for name, _ in response.headers}
        caching = () if "cache-control" in names else (NOT_KEPT,)
        return replace(
            response, headers=(*security.headers(), *caching, *response.headers), cookies=tuple(cookies)
        )


def _took_too_long(value: Any, timeout_s: float) -> Any:
    raise Unavailable(f"no answer within {timeout_s:g} s")


def _as_console_error(wrong: Exception) -> ConsoleError:
    if isinstance(wrong, ConsoleError):
        return wrong
    if isinstance(wrong, OperationRefused):
        return Impossible(str(wrong), key=f"refused.{wrong.key}")
    if isinstance(wrong, OSError) and wrong.errno in NO_SPACE:
        return NotStored()
    return next((answer() for kinds, answer in _ANSWERS if isinstance(wrong, kinds)), ConsoleError())


async def _nothing(visit: Visit) -> Response:
    raise NotFound


_NO_ROUTE = Route("/", ("GET",), _nothing, is_public=True)
_NO_API_ROUTE = Route("/api/", ("GET",), _nothing, is_public=True)
