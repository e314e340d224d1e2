"""Who did something, in words for the story of an order."""

from __future__ import annotations

import pytest

from console.http.routes import TABLE
from console.supervisor.order import _namer
from console.visit import Visit
from tests.web.visitors import House


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("timetable", "系统"), ("supervisor:王督办", "督办 王督办"), ("unit:tax:李四", "区税务局 李四"),
        ("unit:tax:13800001111", "区税务局 138****1111"), ("specialist:13800001111", "专业人员 138****1111"),
        ("unit:tax", "承办单位"), ("foo:13800001111", "foo 138****1111"), ("王五", "王五"), ("", ""),
    ],
)  # fmt: skip
def test_an_actor_is_shown_in_words_and_a_number_in_it_is_masked(who: str, shown: str) -> None:
    visit = Visit(console=House().console, route=TABLE[0], method="GET", path="/")
    assert _namer(visit)(who) == shown
