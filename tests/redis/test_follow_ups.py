"""Bad ratings of any call wait for a supervisor, and no longer than until somebody says what was done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.orders.actor import Actor
from ivr.refused import OperationRefused
from node.operations.follow_ups import FollowUps
from routing.clock import MovableClock
from tests.redis.nodes import EVENING, InReactor, Node

SUPERVISOR = Actor.read("supervisor:周督办")
CALL: dict[str, Any] = {"call_id": "c2", "offered_at": EVENING.isoformat(), "direction": "in", "legs": [],
                        "caller_number": "13800000001", "order_ids": []}


@pytest.fixture
def node(tmp_path: Path, in_reactor: InReactor) -> Iterator[Node]:
    made = Node(tmp_path, in_reactor)
    made.start()
    yield made
    made.stop()


def rate(node: Node, call_id: str, level: int, is_solved: bool | None, minute: int = 0, **more: Any) -> None:
    """Let the caller of a call rate it, as ivr/calls/orders.py writes it; one of an earlier version names no order."""
    told = {"call_id": call_id, "level": level, "is_solved": is_solved, "matter_id": "tax", "unit_id": "tax"} | more
    node._in_reactor(node.ledger.write, "survey_answered", told, EVENING + timedelta(minutes=minute))


def follow_ups(node: Node) -> FollowUps:
    return FollowUps(node.ledger, MovableClock(EVENING + timedelta(hours=1)))


def waiting(node: Node) -> list[dict[str, Any]]:
    node.settle()
    found: list[dict[str, Any]] = node._in_reactor(follow_ups(node).waiting)
    return found


def test_a_bad_rating_or_an_unsolved_matter_of_any_call_waits_with_its_call(node: Node) -> None:
    node._in_reactor(node.ledger.write, "call_ended", CALL, EVENING)
    rate(node, "c1", 5, True)
    rate(node, "c2", 1, None, minute=1)  # after a three-way call: no order
    rate(node, "c3", 4, False, minute=2, order_id="26030310001")
    rate(node, "c4", 3, None, minute=3)
    rate(node, "c5", 2, True, minute=4)
    found = waiting(node)
    assert [(one["call_id"], one["level"], one["is_solved"], one["order_id"]) for one in found] == [
        ("c5", 2, True, ""), ("c3", 4, False, "26030310001"), ("c2", 1, None, ""),
    ]  # fmt: skip
    assert [one["call"] for one in found] == [None, None, CALL]
    assert found[0]["at"] == EVENING + timedelta(minutes=4)


def test_it_waits_until_somebody_says_what_was_done_and_never_again(node: Node) -> None:
    rate(node, "c1", 1, None)
    rate(node, "c2", 1, None, minute=1)
    later, first = waiting(node)
    with pytest.raises(OperationRefused, match="填写"):
        node._in_reactor(follow_ups(node).settle, first["survey_id"], "  ", SUPERVISOR)
    node._in_reactor(follow_ups(node).settle, first["survey_id"], "已回访，企业满意", SUPERVISOR)
    assert waiting(node) == [later]
    (noted,) = node.ask("history", "survey_followed_up")
    assert noted.payload == {"survey_id": first["survey_id"], "who": "supervisor:周督办", "why": "已回访，企业满意"}
    with pytest.raises(OperationRefused, match="没有这条"):
        node._in_reactor(follow_ups(node).settle, first["survey_id"], "again", SUPERVISOR)
    node.restart()
    assert waiting(node) == [later]


def test_what_is_older_than_three_months_or_forgotten_is_not_listed(node: Node) -> None:
    rate(node, "c1", 1, None, minute=-60 * 24 * 91)
    assert waiting(node) == []
    rate(node, "c2", 1, None)
    (one,) = waiting(node)
    node._in_reactor(follow_ups(node).settle, one["survey_id"], "done", SUPERVISOR)
    node.settle()
    key = node.ledger._store.key("followed_up")
    assert node.ledger._store.ask(lambda redis: redis.hlen(key)) == 1
    before_ms = round((EVENING + timedelta(days=1)).timestamp() * 1000)
    node._in_reactor(node.ledger.write, "records_forgotten", {"before_ms": before_ms}, EVENING)
    node.settle()
    assert node.ledger._store.ask(lambda redis: redis.hlen(key)) == 0
