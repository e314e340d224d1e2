"""Who acts: read from the journal and written to it again without a letter changed, and bound to their own unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback_scheduler.orders.actor import TIMETABLE, Actor, ActorRole

KEPT = {
    "timetable": TIMETABLE,
    "supervisor:王督办": Actor(ActorRole.SUPERVISOR, "王督办"),
    "unit:tax:李四": Actor(ActorRole.UNIT, "李四", "tax"),
    "unit:tax:api:b": Actor(ActorRole.UNIT, "api:b", "tax"),
    "unit:tax:": Actor(ActorRole.UNIT, "", "tax"),
    "api:a": Actor(ActorRole.PROGRAM, "a"),
    "seat:甲:乙": Actor(ActorRole.SEAT, "甲:乙"),
    "city:李四": Actor(ActorRole.CITY, "李四"),
    "unit:张三": Actor(ActorRole.OTHER, "unit:张三"),
    "王督办": Actor(ActorRole.OTHER, "王督办"),
    "supervisor:": Actor(ActorRole.OTHER, "supervisor:"),
    "": Actor(ActorRole.OTHER, ""),
}


@pytest.mark.parametrize(("text", "actor"), KEPT.items())
def test_the_journal_names_somebody_as_before(text: str, actor: Actor) -> None:
    assert Actor.read(text) == actor
    assert str(actor) == text


@given(st.one_of(st.text(), st.builds(":".join, st.lists(st.sampled_from([*ActorRole]).map(lambda role: role.value)))))
def test_whatever_stands_in_a_journal_is_read_and_written_back(text: str) -> None:
    assert str(Actor.read(text)) == text


def test_a_unit_acts_on_its_own_orders_only() -> None:
    assert Actor(ActorRole.UNIT, "李四", "tax").may_act_for("tax")
    assert not Actor(ActorRole.UNIT, "李四", "tax").may_act_for("fire")
    assert not Actor(ActorRole.UNIT, "tax:李四", "").may_act_for("tax")
    assert Actor(ActorRole.SUPERVISOR, "王督办").may_act_for("tax")
    assert Actor.read("王督办").may_act_for("tax")
    assert not any(Actor.read(text).may_act_for("tax") for text in ("unit", "unit:tax", "unit:张三"))
