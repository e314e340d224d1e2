"""kill -9 of a node, and of its own Redis with it, in a storm of orders: none is lost, none doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from callback_scheduler.journal.journal import Journal
from tests.redis.kill.day import Plan
from tests.redis.kill.story import KILLED, Nursery
from tests.redis.kill.town import TUESDAY_EVENING
from tests.redis.kill.witness import Seen, read
from tests.redis.nodes import Node

POINTS = (
    "journal_half_written", "journal_on_disk_nobody_told", "journal_new_segment_named", "store_half_applied",
    "store_applied_nobody_told", "store_answer_under_way",
)  # fmt: skip


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("storm"), with_redis=False)
    yield made
    made.close()


def killed(nursery: Nursery, folder: Path, point: str, life: int, nth: int) -> list[Seen]:
    """Let a node live until it dies at `point`, and return what its callers were told."""
    plan = Plan(
        folder=str(folder), witness=f"{folder}.witness", redis_url=None, key_prefix="", receivers={}, seed=0,
        life=life, begins_at=TUESDAY_EVENING, ends_at=TUESDAY_EVENING, callers=[], point=point,
        armed_at=TUESDAY_EVENING, nth=nth, is_storm=True,
    )  # fmt: skip
    assert nursery.live(plan) == KILLED, Path(f"{folder}.{life}.log").read_text()
    return [one for one in read(Path(plan.witness)) if one.what == "told"]


@pytest.mark.parametrize("point", POINTS)
def test_every_order_told_to_a_caller_exists_once_after_a_crash(nursery: Nursery, node: Node, point: str) -> None:
    node.data_dir.parent.mkdir(exist_ok=True, parents=True)
    for life, nth in enumerate((1, 3)):  # the second crash happens on what the first one left
        told = killed(nursery, node.data_dir, point, life, nth)
    node.start()
    node.settle()
    orders = node.ask("orders.latest", 10_000)
    of_number = Counter(order.callback_number for order in orders)
    assert not [number for number, count in of_number.items() if count > 1]
    for one in told:
        order = node.ask("orders.order", one["order_id"])
        assert order is not None, one
        assert order.callback_number == one["number"]
    assert every_event_counts_once(node) == len(orders) + sum(len(order.merged_calls) for order in orders)


def every_event_counts_once(node: Node) -> int:
    """How many calls the journal holds; their numbers are all different."""
    journal: Journal = node.ledger._journal
    given = [event.payload["order_id"] for _, event in journal.replay(event_types=("order_opened",))]
    assert len(given) == len(set(given))
    return len(given)
