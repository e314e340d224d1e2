"""The journal: on disk before anybody is told, and readable whatever happened."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from callback_scheduler.errors import JournalClosed, JournalCorrupt, JournalFull, JournalLocked, JournalWriteFailed
from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import JournalEvent
from tests.fakes.book import AT, Book, event, names


def test_what_was_appended_is_there_after_a_restart(book: Book) -> None:
    journal = book.open()
    written = event("one")
    assert book.pump.wait(journal.append(written)) == 1
    book.append(journal, "two")
    journal.close()
    again = book.open()
    assert again.position == 2
    assert again.journal_id == journal.journal_id
    assert next(again.replay()) == (1, written)
    book.append(again, "three")
    assert names(again) == ["one", "two", "three"]


def test_the_deferred_fires_only_after_fdatasync(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    is_syncing, may_sync, happened = threading.Event(), threading.Event(), []
    write, sync = os.pwrite, os.fdatasync

    def watched(descriptor: int, data: bytes, offset: int) -> int:
        happened.append("written")
        return write(descriptor, data, offset)

    def slow(descriptor: int) -> None:
        is_syncing.set()
        may_sync.wait(10)
        sync(descriptor)
        happened.append("synced")

    journal = book.open()
    monkeypatch.setattr(os, "pwrite", watched)
    monkeypatch.setattr(os, "fdatasync", slow)
    appended = [journal.append(event(str(n))) for n in range(50)]
    for one in appended:
        one.addCallback(lambda position: happened.append("fired"))
    assert is_syncing.wait(10)
    book.pump.run()
    assert happened == ["written"]
    assert journal.queued == 50  # what is being written is not written yet
    may_sync.set()
    book.pump.wait(appended[-1])
    assert happened.index("synced") < happened.index("fired")
    assert happened.count("fired") == 50
    assert happened[-1] == "fired"  # the last one after the last sync
    assert happened.count("synced") <= 2  # group commit: the first alone, all that waited meanwhile together


def test_a_failed_sync_is_no_success_and_leaves_nothing_behind(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = book.open()
    book.append(journal, "kept")
    size = book.files()[0].stat().st_size
    with monkeypatch.context() as broken:
        outcomes = iter([OSError(errno.EIO, "Input/output error"), None])

        def sync(descriptor: int) -> None:
            if (error := next(outcomes, None)) is not None:
                raise error

        broken.setattr(os, "fdatasync", sync)
        with pytest.raises(JournalWriteFailed, match="Input/output error; the event is not on disk"):
            book.append(journal, "lost")
    assert book.files()[0].stat().st_size == size
    book.append(journal, "after")
    assert names(journal) == ["kept", "after"]


def test_what_fails_unforeseen_in_the_journals_thread_keeps_nobody_waiting(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = book.open()
    book.append(journal, "kept")
    with monkeypatch.context() as broken:
        broken.setattr(segments, "frame", lambda *record: 1 / 0)
        with pytest.raises(JournalWriteFailed, match="division by zero; the event is not on disk"):
            book.append(journal, "lost")
    book.append(journal, "after")
    assert names(journal) == ["kept", "after"]


def test_a_full_disk_is_said_clearly_and_half_a_record_is_taken_back(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = book.open()
    book.append(journal, "kept")
    real = os.pwrite

    def nearly_full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data[: len(data) - 20]), offset)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", nearly_full)
        with pytest.raises(JournalFull, match="No space left on device; the event is not on disk"):
            book.append(journal, "lost")
    book.append(journal, "after")
    journal.close()
    again = book.open()
    assert again.torn == ()
    assert names(again) == ["kept", "after"]


def test_the_tail_is_taken_back_later_if_it_cannot_be_at_once(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = book.open()
    book.append(journal, "kept")
    with monkeypatch.context() as sick:

        def refuse(*args: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        sick.setattr(os, "fdatasync", refuse)
        sick.setattr(os, "ftruncate", refuse)
        for name in ("lost", "lost too"):
            with pytest.raises(JournalWriteFailed):
                book.append(journal, name)
    book.append(journal, "after")
    assert names(journal) == ["kept", "after"]
    journal.close()
    assert names(book.open()) == ["kept", "after"]


def test_a_file_size_limit_counts_as_a_full_disk(tmp_path: Path) -> None:
    script = f"""
import resource, sys
sys.path[:0] = [{str(Path(__file__).parents[4])!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from test_journal import Book, event, names
from callback_scheduler.errors import JournalFull
book = Book(Path({str(tmp_path)!r}) / "journal")
journal = book.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
kept = 0
try:
    while True:
        book.append(journal, "x")
        kept += 1
except JournalFull as full:
    print(full)
journal.close()
assert len(names(book.open())) == kept > 3, kept
book.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "File too large; the event is not on disk" in done.stdout


class TestSegments:
    """A journal of several files is one journal."""

    def test_a_full_file_is_followed_by_another_and_both_are_read(self, book: Book) -> None:
        journal = book.open(segment_bytes=400)
        book.append(journal, *map(str, range(10)))
        assert len(book.files()) > 2
        assert names(journal) == [str(n) for n in range(10)]
        for after in range(11):
            assert names(journal, after=after) == [str(n) for n in range(after, 10)]
        journal.close()
        again = book.open(segment_bytes=400)
        assert again.position == 10
        assert names(again, after=7) == ["7", "8", "9"]

    def test_a_new_file_is_on_disk_with_its_name(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[bool] = []
        real = os.fsync

        def watched(descriptor: int) -> None:
            synced.append(os.path.isdir(f"/proc/self/fd/{descriptor}"))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", watched)
        book.open()
        assert synced == [False, True]  # the file, then the folder

    def test_a_missing_file_is_named_by_the_position_where_it_begins(self, book: Book) -> None:
        journal = book.open(segment_bytes=400)
        book.append(journal, *map(str, range(10)))
        journal.close()
        missing = book.files()[1]
        missing.unlink()
        with pytest.raises(JournalCorrupt, match=f"beginning at {int(missing.stem)} is missing"):
            book.open()

    def test_a_copied_file_is_found(self, book: Book) -> None:
        journal = book.open()
        book.append(journal, "one")
        journal.close()
        path = book.files()[0]
        path.with_name("000000000002.journal").write_bytes(path.read_bytes())
        with pytest.raises(JournalCorrupt, match="begins at 1: was it copied or renamed"):
            book.open()

    def test_a_cut_off_file_that_is_not_the_last_is_damage(self, book: Book) -> None:
        journal = book.open(segment_bytes=400)
        book.append(journal, *map(str, range(10)))
        journal.close()
        first = book.files()[0]
        first.write_bytes(first.read_bytes()[:-10])
        with pytest.raises(JournalCorrupt, match="ends in mid-line"):
            book.open()

    def test_a_crash_while_a_file_is_made_leaves_no_half_file(self, book: Book) -> None:
        journal = book.open(segment_bytes=1)
        book.append(journal, "one")
        journal.close()
        (book.folder / "000000000002.new").write_bytes(b"0000")
        again = book.open(segment_bytes=1)
        book.append(again, "two", "three")
        assert names(again) == ["one", "two", "three"]

    def test_no_room_for_a_new_file_costs_no_event(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        journal = book.open(segment_bytes=1)

        def full(*args: object) -> Path:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(segments, "create", full)
        book.append(journal, "one", "two")
        assert names(journal) == ["one", "two"]

    def test_a_new_file_whose_name_is_not_on_disk_does_not_exist(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(folder: Path) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(segments, "sync_folder", refuse)
        with pytest.raises(OSError, match="Input/output"):
            segments.create(tmp_path, "j", 7, segments.beginning("j"))
        assert list(tmp_path.iterdir()) == []


def test_a_second_process_does_not_get_the_folder_and_learns_who_has_it(book: Book) -> None:
    journal = book.open()
    with pytest.raises(JournalLocked, match=f"in use by process {os.getpid()}"):
        book.open()
    book.append(journal, "still mine")
    journal.close()
    book.open()


def test_the_lock_of_a_killed_process_does_not_stay(book: Book) -> None:
    book.folder.mkdir()
    script = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print(1,flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(book.folder / "lock")]
    # it reads its stdin to the end, so it ends with us whatever happens
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(JournalLocked):
            book.open()
    finally:
        other.kill()
        other.communicate()
    book.open()


def test_only_events_of_one_type_are_replayed_if_asked(book: Book) -> None:
    journal = book.open()
    book.append(journal, "order")
    other = JournalEvent.new("call_ended", {"name": '"type":"order_opened"'}, AT)
    book.pump.wait(journal.append(other))
    assert [position for position, _ in journal.replay(event_types=("order_opened",))] == [1]
    assert [position for position, _ in journal.replay(event_types=("call_ended",))] == [2]


def test_a_payload_is_copied_and_half_characters_cost_no_order(book: Book) -> None:
    journal = book.open()
    payload = {"name": "公司\ud83d", "matters": ("a", "b"), "text": "two\nlines\0"}
    written = JournalEvent.new("order_opened", payload, AT)
    payload["name"] = "changed"
    book.pump.wait(journal.append(written))
    assert next(journal.replay())[1].payload == {"name": "公司?", "matters": ["a", "b"], "text": "two\nlines\0"}


def test_what_is_no_json_or_no_instant_is_refused_at_once(book: Book) -> None:
    with pytest.raises(TypeError):
        JournalEvent.new("order_opened", {"at": AT}, AT)
    with pytest.raises(ValueError, match="no time zone"):
        JournalEvent.new("order_opened", {}, datetime(2026, 2, 14))  # noqa: DTZ001


def test_a_closed_journal_says_that_nothing_was_written(book: Book) -> None:
    journal = book.open()
    appended = [journal.append(event(str(n))) for n in range(100)]
    journal.close()  # what waited is still written
    for one in appended:
        book.pump.wait(one)
    with pytest.raises(JournalClosed, match="was not written"):
        journal.append(event("late"))
    assert len(names(book.open())) == 100


def test_those_who_hear_of_durable_events_hear_of_all_in_order(book: Book) -> None:
    heard: list[int] = []
    journal = book.open(on_durable=lambda group: heard.extend(position for position, _ in group))
    for one in [journal.append(event(str(n))) for n in range(200)]:
        book.pump.wait(one)
    assert heard == list(range(1, 201))


def test_three_hundred_appends_a_second_one_after_the_other_are_easy(book: Book) -> None:
    journal = book.open()
    began = time.perf_counter()
    book.append(journal, *map(str, range(150)))
    assert 150 / (time.perf_counter() - began) >= 150  # half of the target: test machines are shared
