"""A journal with seals: nobody reads in it without a key, and one of an earlier version becomes one, whole or not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import hotline
from callback_scheduler.errors import JournalCorrupt, JournalFull
from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.ledger.personal import seal_of
from callback_scheduler.ledger.verification import ChainHead, verify
from routing.clock import SHANGHAI
from tests.fakes.book import Book

AT = datetime(2026, 3, 3, 20, tzinfo=SHANGHAI)
COUNT = 24
PHONE = "1380013"


def told(n: int) -> JournalEvent:
    """What is told of caller `n`, who comes on day `n` // 4; of each day one order more."""
    at = AT + timedelta(days=n // 4)
    kind = ("call_offered", "order_opened", "order_noted", "seat_state_set")[n % 4]
    order = {"order_id": f"{at:%y%m%d}10001"} if kind.startswith("order") else {}
    call = {"call_id": f"{at:%Y%m%dT%H%M%S}-0000000{n % 4}"} if kind == "call_offered" else {}
    return JournalEvent.new(kind, {**order, **call, "caller": f"{PHONE}{n:04d}", "text": "回电给我", "s": 1.25}, at)


EVENTS = [told(n) for n in range(COUNT)]


def write(book: Book, **options: Any) -> Journal:
    journal = book.open(segment_bytes=1000, **options)
    for event in EVENTS:
        book.pump.wait(journal.append(event))
    return journal


def text_of(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "journal")
    yield made
    made.close()


def as_format_1(folder: Path) -> None:
    """Write the files as the first version did, which knew no chain."""
    for path in folder.glob("*.journal"):
        first, *lines = path.read_bytes().splitlines(keepends=True)
        fields = json.loads(segments.unframe(first)[2])
        head = json.dumps({"journal": fields["journal"], "first": fields["first"], "format": 1}).encode()
        records = (segments.unframe(line) for line in lines)
        path.write_bytes(segments.frame(0, head) + b"".join(segments.frame(n, body) for n, _, body in records))
    (folder / segments.END_MARK).unlink()


def leave_as_it_is(folder: Path) -> None:
    """Format 2, which was in plain text."""


OLD: list[Callable[[Path], None]] = [as_format_1, leave_as_it_is]


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, book: Book) -> tuple[Book, Journal]:
    """A closed journal of an earlier version, and what its writer knew of it."""
    journal = write(book)
    journal.close()
    request.param(book.folder)
    assert f"{PHONE}0003".encode() in text_of(book.folder)
    return book, journal


def test_a_record_is_read_as_it_was_told_and_by_nobody_without_a_key(book: Book) -> None:
    journal = write(book, seal_of=seal_of)
    assert [event for _, event in journal.replay()] == EVENTS
    assert PHONE.encode() not in text_of(book.folder)
    assert "回电".encode() not in text_of(book.folder)
    journal.close()
    assert [event for _, event in book.open(seal_of=seal_of).replay()] == EVENTS


def test_what_is_forgotten_keeps_its_place_and_its_number_and_says_nothing_else(book: Book) -> None:
    journal = write(book, seal_of=seal_of)
    assert journal.forget("20260305", [KeyName("20260304", "26030410001")])
    for opened in (journal, None):
        now = opened or book.open(seal_of=seal_of)
        found = [event for _, event in now.replay()]
        assert [n for n, event in enumerate(found) if not event.is_forgotten] == [5, 6, *range(8, COUNT)]
        assert found[1].payload == {"order_id": "26030310001"}
        assert found[5] == EVENTS[5]
        now.close()
    assert verify(book.folder).is_whole
    assert verify(book.folder).forgotten == 6


def test_what_was_kept_is_forgotten_when_it_is_kept_no_longer_and_stays_so(book: Book) -> None:
    journal = write(book, seal_of=seal_of)
    owed = KeyName("20260304", "26030410001")
    journal.forget("20260305", [owed])
    before = (book.folder / "keys").read_bytes()
    assert not journal.forget("20260304", [])  # of days that are past already
    assert journal.forget("20260307", [])
    assert not any("26030410001" in line for line in (book.folder / "keys").read_text().splitlines())
    assert before != (book.folder / "keys").read_bytes()
    late = JournalEvent.new("order_noted", {"order_id": "26030410001", "text": "spät"}, AT + timedelta(days=9))
    book.pump.wait(journal.append(late))  # of an order whose day is past: a key of its own
    assert [event for _, event in journal.replay()][-1] == late
    assert not any(event == EVENTS[5] for _, event in journal.replay())
    journal.close()
    again = book.open(seal_of=seal_of)
    book.pump.wait(again.append(late))
    assert len((book.folder / "keys").read_text().split("26030410001~")) == 2  # one key for both
    again.forget("20260308", [owed])
    assert [event for _, event in again.replay()][-1] == late
    again.forget("20260308", [])
    book.pump.wait(again.append(EVENTS[5]))
    assert [event for _, event in again.replay() if not event.is_forgotten][-1] == EVENTS[5]
    assert sum(event == late for _, event in again.replay()) == 0


def test_keys_that_are_lost_are_damage_and_not_taken_for_forgotten(book: Book, tmp_path: Path) -> None:
    write(book, seal_of=seal_of).close()
    keys = book.folder / "keys"
    whole = keys.read_bytes()
    lines = whole.splitlines(keepends=True)
    keys.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(JournalCorrupt, match="never thrown away"):
        list(book.open(seal_of=seal_of).replay())
    assert "never thrown away" in str(verify(book.folder).broken)
    book.close()
    keys.write_bytes(whole.replace(lines[2], lines[2].replace(b'"key": "', b'"key": "0')))
    with pytest.raises(JournalCorrupt, match="not what was written"):
        book.open(seal_of=seal_of)
    keys.unlink()
    with pytest.raises(JournalCorrupt, match="the keys is gone"):
        book.open(seal_of=seal_of)
    keys.write_bytes(whole + b"12345678 {")  # an entry that a crash cut off was never used
    assert [event for _, event in book.open(seal_of=seal_of).replay()] == EVENTS


def test_without_room_for_a_key_nothing_is_written_and_the_next_one_is(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = book.open(seal_of=seal_of)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(JournalFull):
            book.pump.wait(journal.append(EVENTS[0]))
    book.pump.wait(journal.append(EVENTS[1]))
    assert [event for _, event in journal.replay()] == [EVENTS[1]]


def test_a_journal_of_an_earlier_version_is_sealed_when_it_is_opened(old: tuple[Book, Journal]) -> None:
    book, before = old
    journal = book.open(seal_of=seal_of)
    assert [event for _, event in journal.replay()] == EVENTS
    assert (journal.journal_id, journal.position) == (before.journal_id, before.position)
    assert PHONE.encode() not in text_of(book.folder)
    assert journal.had_chain(COUNT, before.chain)
    assert not journal.had_chain(COUNT - 1, before.chain)
    new = told(0)
    book.pump.wait(journal.append(new))
    journal.close()
    assert verify(book.folder, [ChainHead(COUNT, before.chain, "an auditor")]).is_whole
    assert not verify(book.folder, [ChainHead(COUNT, "0" * 64, "an auditor")]).is_whole
    again = book.open(seal_of=seal_of)
    assert [event for _, event in again.replay()] == [*EVENTS, new]
    again.forget("20260401", [])
    assert all(event.is_forgotten for _, event in again.replay())


def test_files_that_were_archived_before_are_not_asked_for(old: tuple[Book, Journal]) -> None:
    book, _ = old
    first, second = book.files()[:2]
    end = int(second.stem) - 1
    chain = next(iter(verify_chain(book.folder, end)))
    segments.write_mark(book.folder, segments.ARCHIVE_MARK, segments.Mark(end, chain))
    first.unlink()
    journal = book.open(seal_of=seal_of)
    assert [event for _, event in journal.replay()] == EVENTS[end:]
    journal.close()
    assert verify(book.folder).is_whole


def verify_chain(folder: Path, position: int) -> Iterator[str]:
    """Yield the chain of the record at `position`, computed as an earlier version did."""
    chain = segments.beginning(segments.header(sorted(folder.glob("*.journal"))[0], first_line(folder)).journal_id)
    for path in sorted(folder.glob("*.journal")):
        for found, _, body in segments.read(path, 0, 10**9):
            chain = segments.chained(chain, body)
            if found == position:
                yield chain


def first_line(folder: Path) -> bytes:
    return sorted(folder.glob("*.journal"))[0].read_bytes().splitlines(keepends=True)[0]


def test_a_kill_at_any_point_of_the_upgrade_costs_nothing(old: tuple[Book, Journal], tmp_path: Path) -> None:
    book, before = old
    points = 0
    while True:
        folder = tmp_path / f"killed-{points}"
        shutil.copytree(book.folder, folder)
        if opened_until(folder, points):
            break
        points += 1
        killed = Book(folder)
        journal = killed.open(seal_of=seal_of)
        assert [event for _, event in journal.replay()] == EVENTS, points
        assert journal.had_chain(COUNT, before.chain)
        killed.close()
        assert verify(folder).is_whole
        assert PHONE.encode() not in text_of(folder), points
        assert not list(folder.glob("*.sealed"))
    assert points > 2 * len(book.files())


def opened_until(folder: Path, points: int) -> bool:
    """Open a journal in a process of its own that dies before it moves or syncs a file the `points`th time."""
    child = os.fork()
    if child == 0:
        left = [points]

        def dies_before(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return real(*args, **options)

            return call

        os.fsync, os.fdatasync = dies_before(os.fsync), dies_before(os.fdatasync)
        Path.rename, Path.unlink = dies_before(Path.rename), dies_before(Path.unlink)  # type: ignore[method-assign]
        try:
            Journal(folder, None, seal_of=seal_of).open()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_room_for_the_upgrade_the_old_files_are_written_on_and_sealed_later(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(book).close()
    with monkeypatch.context() as patched:
        really_open = os.open

        def full(path: Any, *args: Any, **options: Any) -> int:
            if str(path).endswith(".sealed"):
                raise OSError(28, "No space left on device")
            return really_open(path, *args, **options)

        patched.setattr(os, "open", full)
        journal = book.open(seal_of=seal_of)
    book.pump.wait(journal.append(told(0)))
    assert len(list(journal.replay())) == COUNT + 1
    journal.close()
    assert len(list(book.open(seal_of=seal_of).replay())) == COUNT + 1
    assert PHONE.encode() not in text_of(book.folder)


def test_an_operator_reads_what_is_not_forgotten(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    journal = write(book, seal_of=seal_of)
    journal.forget("20260304", [])
    command = ["journal", "--folder", str(book.folder)]
    assert hotline.main(command) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["position"] for one in found] == list(range(1, COUNT + 1))
    assert [one.get("is_forgotten", False) for one in found] == [True] * 4 + [False] * (COUNT - 4)
    assert (found[1]["payload"], found[5]["payload"]) == ({"order_id": "26030310001"}, EVENTS[5].payload)
    assert hotline.main([*command, "--type", "order_opened", "--after", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == COUNT // 4 - 1
    (book.folder / "keys").unlink()
    assert hotline.main(command) == 1
    assert "never thrown away" in capsys.readouterr().err
    assert hotline.main(["journal", "--folder", str(book.folder / "none")]) == 2
