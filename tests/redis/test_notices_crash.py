"""kill -9 of the node between telling and noting that it has told: told again under the same key, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from callback_scheduler import die_with_parent
from tests.redis.nodes import wait_until
from tests.redis.receivers import SECRET, HttpReceiver, Post, is_signed
from tests.redis.telling import TellingNode, journal_ids, webhook
from tests.redis.telling_node import POINTS

ROOT = Path(__file__).parents[2]


def crash(folder: Path, port: int, point: str, nth: int) -> None:
    """Run a node until it dies at `point`."""
    folder.parent.mkdir(exist_ok=True, parents=True)
    node = [sys.executable, "-m", "tests.redis.telling_node", str(folder), str(port), point, str(nth)]
    lock = str(folder.parent / "telling.lock")
    command = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), lock, *node]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert died.returncode == -9, died.stderr


def refuses_every_fourth(post: Post) -> int:
    return 410 if post.fields["order"].get("callback_number", "").startswith("130") else 200


@pytest.mark.parametrize("point", POINTS)
def test_what_a_killed_node_had_not_noted_is_told_again_under_its_key(
    telling: TellingNode, board: HttpReceiver, point: str
) -> None:
    board.answer = refuses_every_fourth
    for nth in (2, 4):  # the second crash happens on what the first one left
        crash(telling.data_dir, board.port, point, nth)
    before = len(board.posts)
    telling.start_telling(**webhook(board, phone_numbers="full"))
    events = journal_ids(telling.ledger)
    wait_until(lambda: {post.key for post in board.posts} == set(events), within_s=30)
    wait_until(lambda: telling.status_of("webhook_board")["position"] == telling.ledger._journal.position)
    if point == "taken_by_the_receiver_cursor_not_written":
        assert {post.key for post in board.posts[before:]} & {post.key for post in board.posts[:before]}
    refused = {post.key for post in board.posts if post.answer == 410}
    assert refused
    assert {letter["event_id"] for letter in telling.notices.dead_letters()} == refused
    for _, same_key in groupby(sorted(board.posts, key=lambda post: post.key), key=lambda post: post.key):
        assert len({post.body for post in same_key}) == 1
    assert all(is_signed(post, SECRET) for post in board.posts)
    in_order_of_arrival = {post.key: post.fields for post in reversed(board.posts)}
    for order_id in {fields["order_id"] for fields in in_order_of_arrival.values()}:
        first_told = [f["sequence"] for f in reversed(in_order_of_arrival.values()) if f["order_id"] == order_id]
        assert first_told == sorted(first_told)
