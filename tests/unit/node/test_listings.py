"""hotline orders, calls and notices: what a running node answers is printed in lines, masked, and obeyed by nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hotline
from node import listings

ORDER = {
    "order_id": "26030310001", "state": "sent", "kind": "after_hours", "due_at": "2026-03-04T02:00:00+00:00",
    "unit_id": "tax", "matter_id": "tax", "callback_number": "13800001234", "merged_calls": [{}, {}],
}  # fmt: skip
CALL = {
    "call_id": "c1", "offered_at": "2026-03-03T13:00:00+00:00", "caller_number": "13800001234", "outcome": "order",
    "transfer": "none", "two_way_s": 0.0, "legs": [{}], "order_ids": ["26030310001"],
}  # fmt: skip
RECEIVER = {
    "receiver": "webhook:board", "is_up": False, "failures_in_a_row": 3, "last_error": "HTTP 500", "waiting": 4,
    "dead_letters": 1, "delivered": 20,
}  # fmt: skip
LETTER = {
    "receiver": "webhook:board", "event_id": "e1", "event_type": "order_opened", "order_id": "26030310001",
    "died_at": "2026-03-04T02:00:00+00:00", "reason": "HTTP 400",
}  # fmt: skip


@contextmanager
def answering(folder: Path, answers: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Stand in for a node at its operator's socket, and note what is asked; an exception is told as a refusal."""
    asked: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        (folder / "control.sock").unlink(missing_ok=True)
        listening.bind(str(folder / "control.sock"))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, connection.makefile("rwb") as lines:
                    asked.append(json.loads(lines.readline()))
                    answer = answers[asked[-1]["ask"]]
                    told = {"error": str(answer)} if isinstance(answer, Exception) else {"answer": answer}
                    lines.write(json.dumps(told).encode() + b"\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


Said = Callable[..., list[str]]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints whose node answers so, line by line."""

    def run(command: list[str], answers: dict[str, Any], status: int = 0) -> list[str]:
        with answering(tmp_path, answers):
            assert hotline.main([*command, "--data-dir", str(tmp_path)]) == status
        return capsys.readouterr().out.splitlines()

    return run


def test_orders_are_listed_with_their_deadline_in_shanghai_and_a_masked_number(said: Said) -> None:
    assert said(["orders"], {"orders": [ORDER]}) == [
        "26030310001  sent  after_hours  due  2026-03-04 10:00  tax  tax  138****1234  +2 calls"
    ]


def test_a_call_that_goes_on_is_listed_as_not_over(said: Said) -> None:
    assert said(["calls"], {"calls": [CALL, {"call_id": "c2", "caller": "13800001234"}]}) == [
        "c1  2026-03-03 21:00  138****1234  order  transfer none  talked 0.0 s  1 legs  26030310001",
        "c2  138****1234  not over yet",
    ]


def test_so_many_are_asked_for_as_the_command_says(tmp_path: Path) -> None:
    with answering(tmp_path, {"orders": [], "calls": []}) as asked:
        listings.orders(tmp_path / "control.sock", limit=7, as_json=False)
        hotline.main(["calls", "--limit", "3", "--data-dir", str(tmp_path)])
    assert asked == [{"ask": "orders", "limit": 7}, {"ask": "calls", "limit": 3}]


def test_a_field_makes_no_line_of_its_own_and_no_terminal_obeys_it(said: Said) -> None:
    evil = ORDER | {"matter_id": "x\n26030310002  closed", "unit_id": "\x1b[2J\u202e"}
    (line,) = said(["orders"], {"orders": [evil]})
    assert line.isprintable()
    assert "x\\u000a26030310002  closed" in line
    assert "\\u001b[2J\\u202e" in line
    letters = [LETTER | {"reason": "\x1b]0;owned\x07\ndead  e2"}]
    lines = said(["notices"], {"notices": {"receivers": [], "dead_letters": letters}}, status=1)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("what", ["orders", "calls"])
def test_json_is_what_the_node_answers(said: Said, what: str) -> None:
    answer = [{"order_id": "1", "text": "企业\u202e\x1b"}]
    lines = said([what, "--json"], {what: answer})
    assert json.loads("\n".join(lines)) == answer
    assert all(line.isprintable() for line in lines)


def test_notices_tell_each_receiver_and_each_dead_letter_and_fail_while_there_is_one(said: Said) -> None:
    listing = {"receivers": [RECEIVER, RECEIVER | {"receiver": "mail", "is_up": True}], "dead_letters": [LETTER]}
    assert said(["notices"], {"notices": listing}, status=1) == [
        "webhook:board  4 waiting  1 dead  20 delivered  away, 3 failures: HTTP 500",
        "mail  4 waiting  1 dead  20 delivered  up",
        "dead  e1  2026-03-04 10:00  webhook:board  order_opened  26030310001  HTTP 400",
    ]
    assert said(["notices"], {"notices": listing | {"dead_letters": []}})


def test_a_letter_is_sent_again_before_the_listing_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retried = [{"receiver": "webhook:board", "event_id": "e1", "outcome": "delivered"}]
    answers = {"retry_notice": retried, "notices": {"receivers": [], "dead_letters": []}}
    with answering(tmp_path, answers) as asked:
        assert hotline.main(["notices", "--retry", "e1", "--data-dir", str(tmp_path)]) == 0
    assert asked == [{"ask": "retry_notice", "event_id": "e1"}, {"ask": "notices"}]
    assert "retried  webhook:board  e1  delivered" in capsys.readouterr().out


def test_a_node_that_refuses_or_is_not_there_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hotline.main(["orders", "--data-dir", str(tmp_path)]) == 2
    assert f"no node answers at {tmp_path / 'control.sock'}" in capsys.readouterr().err
    with answering(tmp_path, {"orders": ValueError("not now")}):
        assert hotline.main(["orders", "--data-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "not now\n"
