"""An unexpected error of a page is one line of the log and an id for whoever asked, whatever it was."""

from __future__ import annotations

import json
import re
from time import perf_counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from console.people.roles import Role
from console.visit import Visit
from tests.web.api_programs import Program
from tests.web.visitors import House, text


def failing(wrong: Exception) -> House:
    house = House()

    async def fail(visit: Visit) -> Any:
        numbers = {number: "13800001234" * 10 for number in range(50_000)}
        assert numbers
        raise wrong

    house.stand_in = fail
    return house


def test_the_id_on_the_page_is_the_one_in_the_log_and_it_is_logged_once() -> None:
    house = failing(RuntimeError("a secret of ours"))
    with capture_logs() as logged:
        page = text(house.visitor(Role.SUPERVISOR).get("/orders"))
    (entry,) = logged
    assert entry["event"] == "console_failed"
    assert re.search(r"编号 ([0-9a-f]{8})", page)[1] == entry["error_id"]  # type: ignore[index]
    assert "RuntimeError: a secret of ours" in entry["error"]
    assert "secret" not in page


def test_a_program_gets_the_id_in_its_problem() -> None:
    house = failing(RuntimeError("x"))
    with capture_logs() as logged:
        problem = json.loads(Program(house).get("/api/v1/matters").body)
    assert problem["status"] == 500
    assert logged[0]["error_id"] in problem["detail"]


@pytest.mark.parametrize("wrong", [RuntimeError("x" * 2_000_000), ValueError("y\n" * 500_000)], ids=["long", "lines"])
def test_an_error_of_any_size_keeps_no_call_waiting_and_shows_no_variable(wrong: Exception) -> None:
    visitor = failing(wrong).visitor(Role.SUPERVISOR)
    with capture_logs() as logged:
        begun = perf_counter()
        assert visitor.get("/orders").status == 500
        assert perf_counter() - begun < 1
    assert "exc_info" not in logged[0], "what a log makes of an exception may take seconds"
    assert len(str(logged[0])) < 10_000
    assert "13800001234" not in str(logged[0])


def test_a_long_path_is_not_logged_whole() -> None:
    visitor = failing(RuntimeError("x")).visitor(Role.SUPERVISOR)
    with capture_logs() as logged:
        visitor.get(f"/orders/{'9' * 10_000}")
    assert len(logged[0]["path"]) < 300
