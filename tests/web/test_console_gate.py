"""What the gate does with handlers: slow ones, failing ones, refusals of the node, words for the next page."""

from __future__ import annotations

import errno
import io
import json

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from callback_scheduler.errors import JournalFull, StaleOrder, StoreUnavailable, UnknownOrder
from console.gate import Arrived
from console.http.messages import Response
from console.http.routes import TABLE, Route
from console.people.roles import Role
from console.visit import Visit
from ivr.refused import OperationRefused
from tests.web.visitors import HOST, House, Visitor, finished, header, text


def house_whose_pages(handler: object) -> House:
    """A console in which every route asks `handler`."""
    house = House()
    house.stand_in = handler  # type: ignore[assignment]
    return house


def raising(wrong: Exception) -> House:
    async def fail(visit: Visit) -> Response:
        raise wrong

    return house_whose_pages(fail)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (OperationRefused("现在不能回电。", "x"), 409), (UnknownOrder("1"), 404), (StaleOrder("1"), 409),
        (StoreUnavailable("away"), 503), (JournalFull("full"), 503), (OSError(errno.ENOSPC, "full"), 503),
        (OSError(errno.EACCES, "a secret of ours"), 500), (RuntimeError("a secret of ours"), 500),
    ],
)  # fmt: skip
def test_what_goes_wrong_becomes_a_page_or_json_and_tells_no_secret(wrong: Exception, status: int) -> None:
    visitor = raising(wrong).visitor(Role.SUPERVISOR)
    page = visitor.get("/home")
    assert page.status == status
    assert "a secret" not in text(page)
    assert bool(header(page, "Retry-After")) is (status == 503)
    told = visitor.get("/home", accept="application/json")
    assert told.status == status
    assert json.loads(told.body)["error"]["text"]


def test_why_the_node_refused_reaches_whoever_asked() -> None:
    page = raising(OperationRefused("现在不能回电。", "x")).visitor(Role.SUPERVISOR).get("/home")
    assert "现在不能回电。" in text(page)


def test_while_redis_is_away_a_page_says_so_instead_of_sending_everybody_to_log_in() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)

    async def away(key: str) -> str | None:
        raise StoreUnavailable("away")

    house.shelf.get = away  # type: ignore[method-assign]
    assert asked(house, visitor, "/home").status == 503


@pytest.mark.parametrize("path", ["/login", "/static/base.css", "/healthz"])
def test_while_redis_is_away_a_stale_cookie_keeps_nobody_from_style_and_log_in_page(path: str) -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    looked_up: list[str] = []

    async def away(key: str) -> str | None:
        looked_up.append(key)
        raise StoreUnavailable("away")

    house.shelf.get = away  # type: ignore[method-assign]
    assert asked(house, visitor, path).status == 200
    assert bool(looked_up) == (path == "/login")


def asked(house: House, visitor: Visitor, path: str) -> Response:
    """Ask without looking at the cookies afterwards."""
    arrived = Arrived("GET", path, "", {"host": HOST}, dict(visitor.cookies), io.BytesIO(), "127.0.0.1")
    route = next(route for route in TABLE if route.matches(path))
    parts = {"name": path.rpartition("/")[2]} if "<name>" in route.path else {}
    response: Response = finished(house.gate.answer(arrived, route, parts))
    return response


def test_a_page_that_takes_a_minute_is_given_up_with_503() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    never: Deferred[Response] = Deferred()

    async def wait(visit: Visit) -> Response:
        return await never

    route = Route("/home", ("GET",), wait, roles=frozenset(Role))
    arrived = Arrived("GET", "/home", "", {"host": HOST}, dict(visitor.cookies), io.BytesIO(), "127.0.0.1")
    answers: list[Response] = []
    ensureDeferred(house.gate.answer(arrived, route, {})).addCallback(answers.append)
    house.time.advance(59)
    assert not answers
    house.time.advance(2)
    assert [answer.status for answer in answers] == [503]


def test_a_word_for_the_next_page_is_shown_once() -> None:
    house = House()
    admin = house.visitor(Role.ADMIN)
    house.account(Role.SEAT, "li")
    admin.post("/accounts/li/end-sessions")
    assert "已在所有设备上退出" in text(admin.get("/accounts"))
    assert "已在所有设备上退出" not in text(admin.get("/accounts"))


def test_the_language_is_kept_by_a_cookie_and_an_account_has_its_own() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    assert 'lang="zh-CN"' in text(visitor.get("/home"))
    assert 'html lang="en"' in text(visitor.get("/home?lang=en"))
    assert 'html lang="en"' in text(visitor.get("/home"))
    assert 'html lang="zh-CN"' in text(visitor.get("/home?lang=xx"))
    other = house.visitor(Role.UNIT)
    other.post("/me/language", {"language": "en"})
    assert 'html lang="en"' in text(other.get("/home"))


def test_what_people_type_is_escaped() -> None:
    house = House()
    admin = house.visitor(Role.ADMIN)
    admin.post("/new-account", {"name": "li", "role": "seat", "display_name": "<script>alert(1)</script>"})
    page = text(admin.get("/accounts"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_page_leads_nowhere_else_and_is_kept_nowhere() -> None:
    answer = House().visitor(Role.SEAT).get("/home")
    assert header(answer, "Referrer-Policy") == "same-origin"
    assert header(answer, "Cache-Control") == "no-store"
