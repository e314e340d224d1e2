"""Whatever is sent, whoever sent it gets an answer that says so: never 500, and nothing without a bound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from time import perf_counter
from urllib.parse import quote

import pytest

from console.errors import BadInput, ConsoleError
from console.http import forms
from console.http.routes import SAFE_METHODS, TABLE, Route
from console.people.roles import Role
from console.rendering.texts import LANGUAGES, Texts
from routing.from_outside import LARGEST_JSON_BYTES, read_json
from tests.web.api_programs import Program
from tests.web.supervised import Supervised, due_today
from tests.web.visitors import ORIGIN, House, Visitor

ODD = ("", "\x00", "'", "é中\u202e", "9" * 5000, "-1", "1e400", "٣", "²", "0001-01", "a=b&c", "../..", "%s{}")
NAMES = (
    "page", "year", "month", "since", "until", "period", "unit", "rule", "verdict", "q", "who", "what", "topics",
    "last_seen", "token", "next", "lang", "table", "state", "cursor", "limit", "from", "to", "phone", "by", "misses",
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"NaN", b'{"text": NaN}', b'{"text": Infinity}', b'{"text": -Infinity}', b'{"n": 1e999}',
        b'{"n": ' + b"9" * 4000 + b"}", b'{"n": ' + b"9" * 5000 + b"}", b"[" * 900 + b"]" * 900, b"[" * 100_000,
        b'{"a":' * 20 + b"1" + b"}" * 20, b'{"text": "\\ud800"}', b'{"\\udfff": 1}', b'"\xff\xfe"', b"\xff\xfe[\x00]",
        b"[" + b"1," * 30_000 + b"1]",
    ],
    ids=lambda body: body[:24].decode("ascii", "replace"),
)  # fmt: skip
def test_json_that_no_answer_could_be_made_of_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of whatever kind: the form says no more than "bad"
        read_json(body)


def test_json_within_bounds_is_what_it_says() -> None:
    content = {"text": "企业\u0000😀", "list": [[[1, -2, 3.5, True, None]]], "n": 10**17}
    assert read_json(json.dumps(content).encode()) == content


def test_a_body_of_json_has_a_quarter_of_a_megabyte_at_most() -> None:
    house = House()
    program = Program(house)
    body = json.dumps({"why": "x" * LARGEST_JSON_BYTES}).encode()
    headers = {"content-type": "application/json", "idempotency-key": "a-key-of-ours"}
    assert program.send("POST", "/api/v1/orders/26021410001/close", body, headers).status == 413


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[" * 900 + b"]" * 900, 400), (b'{"why": NaN}', 400), (b"9" * 5000, 400), (b'{"why": "\\ud800"}', 422)],
)
def test_a_program_that_sends_such_json_is_refused(body: bytes, status: int) -> None:
    house = House()
    headers = {"content-type": "application/json", "idempotency-key": "a-key-of-ours"}
    assert Program(house).send("POST", "/api/v1/orders/26021410001/close", body, headers).status == status


def roles_of(route: Route) -> Role:
    return next(iter(route.roles), Role.ADMIN)


def odd_addresses(route: Route) -> Iterator[str]:
    """Yield addresses of a route with odd values in its parts and its query."""
    for value in ODD:
        part = quote(value, safe="") or "x"
        yield f"{route.example(part)}?" + "&".join(f"{name}={quote(value)}" for name in NAMES)
    for name in NAMES:
        for value in ("9" * 5000, "0001-01", "9999-12", "0001-01-01&period=chosen", "9999-12-31&period=chosen"):
            yield f"{route.example('x')}?{name}={value}"
    yield route.example("x") + "?period=chosen&since=9999-12-31&until=9999-12-31"
    yield route.example("x") + "?period=chosen&since=0001-01-01&until=0001-01-01"
    yield route.example("x") + "?" + "&".join(["page=1"] * 3000)
    yield route.example("x") + "?%ff=%ff&%ed%a0%80=%00&=&==&;"


@pytest.mark.parametrize("route", [one for one in TABLE if "GET" in one.methods], ids=lambda route: route.path)
def test_no_address_is_answered_with_500(route: Route) -> None:
    house = Supervised()
    house.operations.orders_there = {(order := due_today()).order_id: order}
    visitor = house.visitor(roles_of(route))
    headers = {"authorization": f"Bearer {Program(house).token}"} if route.scope else {}
    for address in odd_addresses(route):
        if len(address) < 16_000:
            assert visitor.get(address, **headers).status not in (500, 501), address[:200]


FORMS = [
    ("application/x-www-form-urlencoded", b"a=b&" * 5000),
    ("application/x-www-form-urlencoded", b"%ff=%ff&why=%ed%a0%80&text=%00" + b"9" * 5000),
    ("multipart/form-data", b"--x"),
    ("multipart/form-data; boundary=", b"--"),
    ("multipart/form-data; boundary=" + "x" * 5000, b"--x"),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 600),
    ("multipart/form-data; boundary=x; charset=utf-7", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n+AGE-'),
    ("application/json", b"[" * 900 + b"]" * 900),
    ("text/plain", b"x"),
    ("\xff/\x00", b"x"),
]


@pytest.mark.parametrize(("kind", "body"), FORMS, ids=range(len(FORMS)))
def test_no_form_is_answered_with_500(kind: str, body: bytes) -> None:
    house = House()
    for route in (one for one in TABLE if set(one.methods) - SAFE_METHODS and not one.scope):
        visitor = house.visitor(roles_of(route))
        headers = {"origin": ORIGIN, "content-type": kind, "x-csrf-token": visitor.csrf}
        for value in ("x", quote("é中\u202e"), "9" * 5000):
            answer = visitor.send("POST", route.example(value), body, headers)
            assert answer.status < 500, (route.path, value[:20])


@pytest.mark.parametrize("cookie", ["", "\x00", "a" * 4000, "é中", ";;;===", "." * 4000, "9" * 5000])
def test_no_cookie_is_answered_with_500(cookie: str) -> None:
    house = House()
    security = house.console.security
    for name in (security.session_cookie, security.form_cookie, security.device_cookie, security.language_cookie):
        visitor = Visitor(house, cookies={name: cookie})
        assert visitor.get("/login").status < 500
        assert visitor.post("/login", {"name": "li", "password": "x"}).status < 500


@pytest.mark.parametrize("value", ["", "[", "[::1", "a" * 8000, "\x00", "é℀中", "9" * 5000, "bytes=-,--1", ",;=", "%"])
def test_no_header_is_answered_with_500(value: str) -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    names = (
        "host", "origin", "sec-fetch-site", "content-type", "content-length", "accept", "range", "authorization",
        "last-event-id", "x-forwarded-for", "idempotency-key", "x-csrf-token", "if-modified-since", "cookie",
    )  # fmt: skip
    for name in names:
        for path in ("/home", "/static/base.css", "/events?topics=call", "/api/v1/matters", "/nothing"):
            assert visitor.get(path, **{name: value}).status not in (500, 501), (name, path)
        assert visitor.post("/login", {"name": "li", "password": "x"}, **{name: value}).status < 500, name
        assert visitor.post("/me/language", {"language": "zh"}, **{name: value}).status < 500, name


@pytest.mark.parametrize("until", ["9999-12-31T23:59", "9999-12-31T23:59+00:00", "0001-01-01T00:00+14:00", "9" * 5000])
def test_a_switch_until_the_end_of_time_is_refused(until: str) -> None:
    admin = House().visitor(Role.ADMIN)
    form = {"state": "night", "why": "停电", "until": until}
    assert admin.post("/admin/hours/preview", form).status == 400
    assert admin.post("/admin/hours/apply", form).status == 400


def test_every_refusal_has_its_heading_in_both_languages() -> None:
    refusals: list[type[ConsoleError]] = [ConsoleError, *ConsoleError.__subclasses__()]
    for language in LANGUAGES:
        for one in refusals:
            assert Texts().text(language, f"error.heading.{one.status}")


def test_a_form_of_very_many_fields_takes_no_longer_than_a_page() -> None:
    body = b"&".join(b"%d=1" % number for number in range(100_000))
    sent = {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(body))}
    begun = perf_counter()
    with pytest.raises(BadInput):
        forms.read(BytesIO(body), sent, 1024 * 1024)
    assert perf_counter() - begun < 1
