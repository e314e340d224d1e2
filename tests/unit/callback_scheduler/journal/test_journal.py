"""The journal: on disk before anybody is told, and readable whatever happened."""

from __future__ import annotations

import errno
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from callback_scheduler.errors import JournalClosed, JournalCorrupt, JournalFull, JournalLocked, JournalWriteFailed
from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.segments import END_MARK

AT = datetime(2026, 2, 14, 10, 0, tzinfo=timezone.utc)


class Pump:
    """What the journal needs of a reactor: callFromThread. The test itself is the reactor's thread."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()

    def callFromThread(self, call: Callable[..., None], *args: Any) -> None:
        self._calls.put((call, args))

    def run(self) -> None:
        """Run what the journal's thread has handed over by now."""
        while not self._calls.empty():
            call, args = self._calls.get()
            call(*args)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Run what the journal's thread hands over until `deferred` fires; return or raise its result."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            call, args = self._calls.get(timeout=10)
            call(*args)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


class Book:
    """A folder with a journal in it, opened as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pump = Pump()
        self._open_ones: list[Journal] = []

    def open(self, **options: Any) -> Journal:
        journal = Journal(self.folder, self.pump, **options)
        journal.open()
        self._open_ones.append(journal)
        return journal

    def append(self, journal: Journal, *names: str) -> None:
        for name in names:
            self.pump.wait(journal.append(event(name)))

    def files(self, pattern: str = "*.journal") -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def close(self) -> None:
        for journal in self._open_ones:
            journal.close()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "journal")
    yield made
    made.close()


def event(name: str) -> JournalEvent:
    return JournalEvent.new("order_opened", {"name": name, "公司": "长宁"}, AT)


def names(journal: Journal, after: int = 0) -> list[str]:
    return [found.payload["name"] for _, found in journal.replay(after=after)]


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


@pytest.mark.parametrize("cut", [1, 30, 60])
def test_a_tail_torn_by_a_crash_is_kept_aside_and_reported(book: Book, cut: int) -> None:
    journal = book.open()
    book.append(journal, "one", "two", "three")
    journal.close()
    path = book.files()[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    (book.folder / END_MARK).unlink()  # a crash leaves no note of the end
    again = book.open()
    assert names(again) == ["one", "two"]
    assert len(again.torn) == 1
    assert path.name in again.torn[0]
    assert "line 4" in again.torn[0]
    (kept,) = book.files("*.torn")
    assert kept.read_bytes() == whole[:-cut][again._writer.good_bytes :]
    book.append(again, "four")
    again.close()
    assert names(book.open()) == ["one", "two", "four"]


@pytest.mark.parametrize("kept", ["all but some bytes", "all but a record", "no file"])
def test_an_end_cut_off_behind_our_back_is_neither_repaired_nor_built_on(book: Book, kept: str) -> None:
    journal = book.open()
    book.append(journal, "one", "two", "three")
    journal.close()
    path = book.files()[0]
    whole = path.read_bytes()
    if kept == "no file":
        path.unlink()
    else:
        path.write_bytes(whole[:-30] if kept == "all but some bytes" else b"".join(whole.splitlines(True)[:-1]))
    with pytest.raises(JournalCorrupt, match=r"ends at record [02], but its own note of its end knows 3: cut off"):
        book.open()
    assert [file.read_bytes() for file in book.files()] in ([], [whole[:-30]], [b"".join(whole.splitlines(True)[:-1])])
    assert book.files("*.torn") == []
    path.write_bytes(whole)  # as it lies in the backup
    assert names(book.open()) == ["one", "two", "three"]


def test_a_last_record_that_was_written_anew_is_not_built_on(book: Book) -> None:
    journal = book.open()
    book.append(journal, "one")
    journal.close()
    path = book.files()[0]
    header, line = path.read_bytes().splitlines(keepends=True)
    body = segments.unframe(line)[2].replace(b'"one"', b'"eno"')
    path.write_bytes(header + segments.frame(1, body, segments.chained(segments.beginning(journal.journal_id), body)))
    with pytest.raises(JournalCorrupt, match="record 1 is not the one that the journal's own note of its end knows"):
        book.open()


def test_blocks_of_zeros_after_a_power_failure_are_a_torn_tail(book: Book) -> None:
    journal = book.open()
    book.append(journal, "one")
    journal.close()
    with book.files()[0].open("ab") as file:
        file.write(bytes(500))
    again = book.open()
    assert names(again) == ["one"]
    assert len(book.files("*.torn")) == 1


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_a_changed_record_is_named_by_file_line_and_byte_even_at_the_end(book: Book, name: str) -> None:
    journal = book.open()
    book.append(journal, "one", "two", "three")
    journal.close()
    path = book.files()[0]
    content = path.read_bytes()
    at_byte = content.index(b'"' + name.encode() + b'"')
    path.write_bytes(content[: at_byte + 1] + b"X" + content[at_byte + 2 :])
    line = content[:at_byte].count(b"\n") + 1
    offset = content[:at_byte].rindex(b"\n") + 1
    with pytest.raises(JournalCorrupt, match="the checksum is wrong") as found:
        book.open()
    assert (found.value.path, found.value.line, found.value.offset) == (path, line, offset)
    assert f"{path}: line {line} (byte {offset})" in str(found.value)
    assert path.read_bytes() != content  # nothing was cut off, nothing repaired in secret
    assert book.files("*.torn") == []


def test_half_a_record_in_the_middle_is_damage_not_a_torn_tail(book: Book) -> None:
    journal = book.open()
    book.append(journal, "one", "two", "three")
    journal.close()
    path = book.files()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:40] + bytes(len(lines[2]) - 41) + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalCorrupt, match="line 3"):
        book.open()


def test_a_doubled_record_is_found(book: Book) -> None:
    journal = book.open()
    book.append(journal, "one", "two")
    journal.close()
    path = book.files()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))
    with pytest.raises(JournalCorrupt, match="position 2 where 3 belongs"):
        book.open()


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
