"""The walker: every route of the console, by every role, with and without a token of its form."""

from __future__ import annotations

import json

import pytest

from console.http.messages import Response
from console.http.routes import SAFE_METHODS, TABLE, Route, navigation
from console.people.roles import Role
from console.people.tokens import API
from console.rendering.texts import LANGUAGES, Texts
from console.site import PAGES
from tests.web.visitors import HOST, ORIGIN, House, Visitor, finished, header, text

assert PAGES
EACH = [pytest.param(route, id=f"{' '.join(route.methods)} {route.path}") for route in TABLE]
FOR_PEOPLE = [pytest.param(route, id=f"{' '.join(route.methods)} {route.path}") for route in TABLE if not route.scope]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def house() -> House:
    """A console whose handlers are replaced by one that answers 299, so that only the gate is asked."""

    async def answer(request: object) -> Response:
        return Response(299)

    made = House()
    made.stand_in = answer
    return made


def reached(visitor: Visitor, route: Route, **headers: str) -> Response:
    """Ask for a route with a proper request of a page of ours; 299 if its handler was reached."""
    method = next((one for one in route.methods if one not in SAFE_METHODS), "GET")
    return sent(visitor, route, method, {"origin": ORIGIN} | headers, visitor.csrf)


def sent(visitor: Visitor, route: Route, method: str, headers: dict[str, str], csrf: str) -> Response:
    body = b"" if method in SAFE_METHODS else f"csrf={csrf}".encode()
    return visitor.send(method, route.example(), body, {"content-type": FORM} | headers)


@pytest.mark.parametrize("route", EACH)
def test_who_is_not_logged_in_reaches_only_what_is_public(
    route: Route, house: House
) -> None:
    visitor = house.visitor()
    visitor.get("/login")
    visitor.csrf = visitor.cookies[house.console.security.form_cookie]
    answer = reached(visitor, route)
    if route.is_public:
        assert answer.status == 299
    elif route.is_api or any(method not in SAFE_METHODS for method in route.methods):
        assert answer.status == 401
    else:
        assert (answer.status, header(answer, "Location").split("?")[0]) == (303, "/login")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("route", EACH)
def test_each_role_reaches_what_names_it_and_is_refused_everything_else(
    route: Route, role: Role, house: House
) -> None:
    answer = reached(house.visitor(role), route)
    if route.scope:
        assert answer.status == 401
    else:
        assert answer.status == (299 if route.is_public or route.serves(role) else 403)


def test_a_token_opens_the_routes_of_its_scopes_only(house: House) -> None:
    for route in [one for one in TABLE if one.scope]:
        _try_tokens(house, house.visitor(), route)


def _try_tokens(house: House, visitor: Visitor, route: Route) -> None:
    right = finished(house.people.tokens.make(API, "right", 60, scopes=(route.scope,)))
    wrong = finished(house.people.tokens.make(API, "wrong", 60, scopes=("something else",)))
    assert reached(visitor, route, authorization=f"Bearer {right}").status == 299
    assert reached(visitor, route, authorization=f"Bearer {wrong}").status == 403
    house.time.advance(61)
    assert reached(visitor, route, authorization=f"Bearer {right}").status == 401


FORGED = {
    "no origin at all": ({}, True),
    "another site's origin": ({"origin": "https://evil.example"}, True),
    "an origin of null": ({"origin": "null"}, True),
    "a browser that says cross-site": ({"origin": ORIGIN, "sec-fetch-site": "cross-site"}, True),
    "a browser that says same-site": ({"origin": ORIGIN, "sec-fetch-site": "same-site"}, True),
    "another port of this host": ({"origin": f"http://{HOST.partition(':')[0]}:9"}, True),
    "no token": ({"origin": ORIGIN, "sec-fetch-site": "same-origin"}, False),
}


@pytest.mark.parametrize("forgery", FORGED)
@pytest.mark.parametrize("route", FOR_PEOPLE)
def test_no_unsafe_request_passes_that_no_page_of_ours_sent(
    route: Route, forgery: str, house: House
) -> None:
    headers, has_token = FORGED[forgery]
    visitor = house.visitor(next(iter(route.roles), Role.ADMIN))
    for method in route.methods:
        answer = sent(visitor, route, method, headers, visitor.csrf if has_token else "")
        assert answer.status == (299 if method in SAFE_METHODS else 403), method


@pytest.mark.parametrize("route", FOR_PEOPLE)
def test_the_token_of_another_session_is_worth_nothing(
    route: Route, house: House
) -> None:
    role = next(iter(route.roles), Role.ADMIN)
    visitor, other = house.visitor(role), house.visitor(role, name="other")
    for method in set(route.methods) - SAFE_METHODS:
        assert sent(visitor, route, method, {"origin": ORIGIN}, other.csrf).status == 403


@pytest.mark.parametrize("route", EACH)
def test_every_answer_carries_the_headers(route: Route, house: House) -> None:
    for visitor in (house.visitor(), house.visitor(next(iter(route.roles), Role.ADMIN))):
        answer = reached(visitor, route)
        policy = header(answer, "Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert header(answer, "X-Content-Type-Options") == "nosniff"
        assert header(answer, "Cache-Control") == "no-store"


def test_every_act_reaches_the_audit_log_with_who_and_why(house: House) -> None:
    for route in TABLE:
        if route.roles and set(route.methods) - SAFE_METHODS:
            before = len(house.audit.acts)
            role = next(iter(route.roles))
            reached(house.visitor(role), route)
            assert len(house.audit.acts) == before + 1, route.path
            assert house.audit.acts[-1].who.startswith(role.value)
            assert house.audit.acts[-1].result == "299"


def test_routes_that_change_something_take_no_get() -> None:
    both = [route.path for route in TABLE if set(route.methods) & SAFE_METHODS and set(route.methods) - SAFE_METHODS]
    assert not both, "one handler for looking and for acting: a link could act"


def test_every_page_in_the_navigation_has_a_name_in_each_language() -> None:
    texts = Texts()
    for role in Role:
        for route in navigation(role):
            for language in LANGUAGES:
                assert texts.text(language, route.nav)


def test_the_api_is_refused_in_json_and_pages_in_html(house: House) -> None:
    assert json.loads(house.visitor().get("/api/nothing").body)["key"] == "error.404"
    assert "<html" in text(house.visitor().get("/nothing"))
    asked_by_script = house.visitor(Role.SEAT).get("/accounts", accept="application/json")
    assert (asked_by_script.status, json.loads(asked_by_script.body)["error"]["key"]) == (403, "error.403")
