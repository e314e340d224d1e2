"""Tokens of the API: scopes and routes, expiry, last use, how often a program may ask, the page they are made on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.api.declared import OPERATIONS
from console.api.openapi import build
from console.http.routes import TABLE, Route
from console.people.roles import Role
from console.people.tokens import API, SCOPES, Tokens
from tests.web.api_programs import Program, key_of, told
from tests.web.visitors import House, at_once, finished, header, text

API_ROUTES = [pytest.param(one, id=f"{one.methods[0]} {one.path}") for one in TABLE if one.is_api]
NEEDED = {
    "/api/v1/orders": "orders:read", "/api/v1/orders/<order_id>": "orders:read", "/api/v1/calls": "calls:read",
    "/api/v1/calls/<call_id>": "calls:read", "/api/v1/calls/running": "calls:read",
    "/api/v1/reports": "reports:read", "/metrics": "metrics:read",
}  # fmt: skip
PUBLIC = {"/api/openapi.json", "/healthz", "/readyz"}


def needed(route: Route) -> str:
    """Return the scope that a route is meant to need, told apart from what it declares."""
    if route.path in PUBLIC:
        return ""
    if route.path.startswith(("/api/v1/online", "/api/v1/matters")):
        return "online:write"
    return NEEDED.get(route.path) or "orders:act"


@pytest.mark.parametrize("route", API_ROUTES)
def test_each_route_is_open_to_its_scope_and_to_no_other(route: Route) -> None:
    house, method, path = House(), route.methods[0], route.example("26031010001")
    for scope in SCOPES:
        answer = Program(house, (scope,), name=scope.replace(":", "-")).send(method, path)
        is_let_in = needed(route) in ("", scope)
        assert (answer.status not in (401, 403)) == is_let_in, scope
        if not is_let_in:
            assert key_of(answer) == (403, "error.scope")
    without = house.visitor().send(method, path)
    assert (without.status == 401) == bool(needed(route))
    if needed(route):
        assert (key_of(without), header(without, "WWW-Authenticate")) == ((401, "error.401"), "Bearer")


@pytest.mark.parametrize("route", API_ROUTES)
def test_each_route_is_documented_with_all_it_may_refuse(route: Route) -> None:
    operation = build()["paths"][route.path.replace("<", "{").replace(">", "}")][route.methods[0].lower()]
    answers = set(operation["responses"])
    wanted = {"400", "503"}
    wanted |= {"401", "403", "429"} if route.scope else set()
    wanted |= {"409", "413", "415", "422"} if route.methods == ("POST",) else set()
    wanted |= {"404"} if route.part_names else set()
    assert wanted <= answers
    assert operation["security"] == ([{"token": [route.scope]}] if route.scope else [])
    for status, answer in operation["responses"].items():
        if int(status) >= 400 and route.path != "/readyz":
            assert list(answer["content"]) == ["application/problem+json"]


def test_every_route_of_the_api_is_declared_once() -> None:
    names = [OPERATIONS[one.handler].operation_id for one in TABLE if one.is_api]
    assert len(names) == len(set(names)) == len(API_ROUTES)


def test_the_document_is_served_to_everybody_as_openapi_3_1() -> None:
    document = told(House().visitor().get("/api/openapi.json"))
    assert document["openapi"].startswith("3.1")
    assert document == build()


def test_a_token_is_worth_nothing_when_it_is_over_or_revoked() -> None:
    house = House()
    program = Program(house)
    assert program.get("/api/v1/matters").status == 200
    house.time.advance(3601)
    assert key_of(program.get("/api/v1/matters")) == (401, "error.401")
    again = Program(house)
    finished(house.people.tokens.withdraw(API, "chat"))
    assert again.get("/api/v1/matters").status == 401


def test_a_program_that_asks_too_often_waits_and_no_other_does() -> None:
    house = House(api_per_s=2.0, api_burst=5)
    greedy, modest = Program(house, name="greedy"), Program(house, name="modest")
    assert [greedy.get("/api/v1/matters").status for _ in range(6)] == [200] * 5 + [429]
    refused = greedy.get("/api/v1/matters")
    assert (key_of(refused), header(refused, "Retry-After")) == ((429, "error.429"), "1")
    assert modest.get("/api/v1/matters").status == 200
    house.time.advance(1)
    assert [greedy.get("/api/v1/matters").status for _ in range(3)] == [200, 200, 429]


def test_a_token_outlives_a_restart_with_its_unit_and_its_last_use() -> None:
    house = House()
    program = Program(house, unit_id="tax")
    program.get("/api/v1/matters")
    again = Tokens(house.folder / "console" / "tokens.json", at_once, house.clock, vouches=lambda maker: False)
    again.load()
    kept = again.find(program.token, API)
    assert kept is not None
    assert (kept.unit_id, kept.used_at) == ("tax", house.clock.now())
    assert program.token not in (house.folder / "console" / "tokens.json").read_text(encoding="utf-8")


def test_an_administrator_makes_a_token_sees_it_once_and_revokes_it() -> None:
    house = House()
    chen = house.visitor(Role.ADMIN)
    form = {"name": "chat", "scopes": "online:write", "unit_id": "tax", "days": "30"}
    shown = text(chen.post("/api-tokens", form))
    token = re.findall(r'<code id="made">([^<]+)</code>', shown)[0]
    listed = text(chen.get("/api-tokens"))
    assert "chat" in listed
    assert token not in listed
    [kept] = house.people.tokens.of_kind(API)
    assert (kept.scopes, kept.unit_id, kept.made_by) == (("online:write",), "tax", "admin:admin")
    assert (house.audit.acts[-1].about, house.audit.acts[-1].result) == ("chat", "200 online:write tax")
    assert chen.post("/api-tokens", form).status == 409, "the old one would be worth nothing all of a sudden"
    assert chen.post("/api-tokens/chat/revoke").status == 303
    assert house.people.tokens.of_kind(API) == []
    assert chen.post("/api-tokens/chat/revoke").status == 404


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "<b>"}, {"scopes": "all"}, {"unit_id": "moon"}, {"days": "0"}, {"days": "731"},
     {"days": "²"}],
)  # fmt: skip
def test_no_token_is_made_of_a_wrong_form(wrong: dict[str, str]) -> None:
    house = House()
    form = {"name": "chat", "scopes": "online:write", "unit_id": "", "days": "30"} | wrong
    assert house.visitor(Role.ADMIN).post("/api-tokens", form).status == 400
    assert house.people.tokens.of_kind(API) == []


def test_the_page_about_the_api_lists_every_route_with_its_scope() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for route in (one for one in TABLE if one.is_api):
        address = f"{route.methods[0]} {route.path.replace('<', '{').replace('>', '}')}"
        assert f"| `{address}` | {f'`{route.scope}`' if route.scope else 'none'} |" in page, address
