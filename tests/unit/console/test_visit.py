"""Who asks, as journal and audit log have always called them."""

from __future__ import annotations

from typing import Any

import pytest

from console.http.routes import TABLE
from console.people.accounts import Account
from console.people.roles import Role
from console.visit import Notes, Visit
from tests.web.visitors import House


def visit(**who: Any) -> Visit:
    return Visit(console=House().console, route=TABLE[0], method="GET", path="/", **who)


@pytest.mark.parametrize(
    ("who", "kept"),
    [
        ({"account": Account("zhou", Role.SUPERVISOR)}, "supervisor:zhou"),
        ({"account": Account("li", Role.UNIT, unit_id="tax")}, "unit:tax:li"),
        ({"token_name": "city"}, "api:city"),
        ({"token_name": "city", "token_unit_id": "tax"}, "unit:tax:api:city"),
        ({"notes": Notes(name="a stranger")}, "a stranger"),
        ({}, ""),
    ],
)  # fmt: skip
def test_an_actor_is_written_as_it_always_was(who: dict[str, Any], kept: str) -> None:
    assert str(visit(**who).actor) == kept


def test_a_token_that_is_bound_to_a_unit_acts_for_that_unit_only() -> None:
    actor = visit(token_name="city", token_unit_id="tax").actor
    assert actor.may_act_for("tax")
    assert not actor.may_act_for("market")


def test_a_name_typed_at_log_in_is_never_read_as_a_role() -> None:
    assert visit(notes=Notes(name="unit:tax:li")).actor.unit_id == ""
