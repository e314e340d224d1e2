"""kill -9 of the node at named points around journal and Redis: no order lost, none doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from callback_scheduler import die_with_parent
from callback_scheduler.journal import Journal
from tests.redis.crashing_node import POINTS
from tests.redis.nodes import Node

ROOT = Path(__file__).parents[2]


def crash(folder: Path, point: str, nth: int) -> list[tuple[str, str]]:
    """Run a node until it dies at `point`; return number and order of each caller who was told one."""
    folder.parent.mkdir(exist_ok=True, parents=True)
    lock = str(folder.parent / "crashing.lock")
    node = [sys.executable, "-m", "tests.redis.crashing_node", str(folder), point, str(nth)]
    command = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), lock, *node]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert died.returncode == -9, died.stderr
    return [(number, order_id) for number, order_id in (line.split() for line in died.stdout.splitlines())]


@pytest.mark.parametrize("point", POINTS)
def test_every_order_told_to_a_caller_exists_once_after_a_crash(node: Node, point: str) -> None:
    told: list[tuple[str, str]] = []
    for nth in (1, 3):  # the second crash happens on what the first one left
        told += crash(node.data_dir, point, nth)
    node.start()
    node.settle()
    orders = node.ask("orders", 10_000)
    of_number = Counter(order.callback_number for order in orders)
    assert not [number for number, count in of_number.items() if count > 1]
    for number, order_id in told:
        order = node.ask("order", order_id)
        assert order is not None, (number, order_id)
        assert order.callback_number == number
    assert every_event_counts_once(node) == len(orders) + sum(len(order.merged_calls) for order in orders)


def every_event_counts_once(node: Node) -> int:
    """How many calls the journal holds; their numbers are all different."""
    journal: Journal = node.ledger._journal
    given = [event.payload["order_id"] for _, event in journal.replay(event_types=("order_opened",))]
    assert len(given) == len(set(given))
    return len(given)
