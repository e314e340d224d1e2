"""The outbox: where a receiver stands, and what it refused, whatever a crash or a full disk left behind."""

from __future__ import annotations

import dataclasses
import errno
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from callback_scheduler.journal.event import JournalEvent
from callback_scheduler.notices.outbox import Cursor, DeadLetter, Outbox


def opened(folder: Path, end: int = 100, starts_at: int = 7, journal_id: str = "j") -> tuple[Outbox, Cursor]:
    box = Outbox(folder / "notices" / "board")
    (folder / "notices").mkdir(exist_ok=True)
    return box, box.open(journal_id, end, starts_at)


def dead(n: int) -> DeadLetter:
    return DeadLetter(f"e{n}", n, "order_opened", f"2603031000{n}", "HTTP 410 没有了", "2026-03-03T12:00:00+00:00")


def test_a_new_receiver_begins_where_it_is_told_and_that_is_on_disk_at_once(tmp_path: Path) -> None:
    assert opened(tmp_path)[1] == Cursor(7)
    assert opened(tmp_path, starts_at=50)[1] == Cursor(7)


def test_a_cursor_is_found_again_with_what_is_settled_ahead_of_it(tmp_path: Path) -> None:
    box, _ = opened(tmp_path)
    box.save("j", Cursor(12, frozenset({15, 14})))
    assert opened(tmp_path)[1] == Cursor(12, frozenset({14, 15}))


def test_a_journal_set_back_to_an_older_copy_loses_no_event_written_since(tmp_path: Path) -> None:
    box, _ = opened(tmp_path)
    box.save("j", Cursor(80, frozenset({90})))
    assert opened(tmp_path, end=60)[1] == Cursor(60)
    assert opened(tmp_path, journal_id="another", end=60)[1] == Cursor(0)


def test_dead_letters_stay_until_they_are_settled(tmp_path: Path) -> None:
    box, _ = opened(tmp_path)
    box.bury([dead(1), dead(2), dead(3)])
    box.settle("e2")
    box, _ = opened(tmp_path)
    assert list(box.dead.values()) == [dead(1), dead(3)]
    assert "e2" not in (tmp_path / "notices/board/dead.jsonl").read_text()


def test_a_letter_that_died_twice_is_one(tmp_path: Path) -> None:
    box, _ = opened(tmp_path)
    box.bury([dead(1)])
    box.bury([dead(1)])
    assert list(opened(tmp_path)[0].dead) == ["e1"]


def test_a_letter_goes_when_what_it_told_of_is_forgotten_and_no_number_stands_in_it(tmp_path: Path) -> None:
    box, _ = opened(tmp_path)
    late = dataclasses.replace(dead(2), died_at="2026-03-05T12:00:00+00:00")
    box.bury([dead(1), late])
    died = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)
    assert (box.forget(died), box.forget(died + timedelta(days=1))) == (0, 1)
    assert list(box.dead) == list(opened(tmp_path)[0].dead) == ["e2"]
    assert "e1" not in (tmp_path / "notices/board/dead.jsonl").read_text()
    event = JournalEvent.new("order_opened", {"order_id": "26030310007"}, died)
    letter = DeadLetter.of((3, event), "HTTP 400 unknown number 13800138000", "")
    assert letter.reason == "HTTP 400 unknown number 138****8000"


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_line_cut_short_takes_no_other_with_it(tmp_path: Path, cut: int) -> None:
    box, _ = opened(tmp_path)
    box.bury([dead(1)])
    file = tmp_path / "notices/board/dead.jsonl"
    box.bury([dead(2)])
    file.write_bytes(file.read_bytes()[:-cut])
    box.bury([dead(3)])
    found = set(opened(tmp_path)[0].dead)
    assert found >= {"e1", "e3"}
    assert set(opened(tmp_path)[0].dead) == found


def test_a_full_disk_leaves_the_cursor_that_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box, _ = opened(tmp_path)
    box.save("j", Cursor(20))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            box.save("j", Cursor(21))
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            box.bury([dead(1)])
        assert box.dead == {}
    assert opened(tmp_path)[1] == Cursor(20)
