"""What `hotline verify` finds: a journal that is whole, and the first record that is not what was written."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotline
from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import Journal
from callback_scheduler.ledger.verification import ChainHead, VerifyResult, verify
from tests.fakes.book import Book, names

COUNT = 12


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A closed journal of a dozen events in several files."""
    made = Book(tmp_path / "var" / "journal")
    made.folder.parent.mkdir()
    journal = made.open(segment_bytes=1000)
    made.append(journal, *map(str, range(1, COUNT + 1)))
    journal.close()
    yield made
    made.close()


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def framed(content: bytes) -> bytes:
    """A line whose length and checksum are right, as somebody writes it who knows the format."""
    return b"%08x %08x %s\n" % (len(content), zlib.crc32(content), content)


def broken_in(book: Book) -> VerifyResult:
    found = verify(book.folder)
    assert found.broken is not None, found
    assert not found.is_whole
    return found


def event_id(line: bytes) -> str:
    return str(json.loads(line[line.index(b"{") :])["id"])


def test_a_journal_that_is_whole_is_said_to_be_and_has_the_head_its_writer_had(book: Book) -> None:
    found = verify(book.folder)
    assert (found.is_whole, found.records, found.segments, found.torn) == (True, COUNT, len(book.files()), "")
    assert found.segments > 2
    journal = book.open()
    assert (found.journal_id, found.head) == (journal.journal_id, journal.status()["chain"])


def test_the_chain_is_what_anybody_can_compute_with_sha256(book: Book) -> None:
    chain = segments.beginning(verify(book.folder).journal_id)
    for path in book.files():
        for line in lines_of(path)[1:]:
            position, stored, body = segments.unframe(line)
            chain = segments.chained(chain, body)
            assert stored == chain, position


def test_a_tampered_event_is_named_even_if_its_checksum_was_made_to_fit(book: Book) -> None:
    path = book.files()[1]
    lines = lines_of(path)
    lines[2] = framed(lines[2][18:-1].replace(b'"name":"', b'"name":"9'))
    path.write_bytes(b"".join(lines))
    found = broken_in(book)
    assert found.broken
    assert (found.broken.file, found.broken.line, found.broken.event_id) == (path, 3, event_id(lines[2]))
    assert "does not follow from the one before" in found.broken.what
    assert found.records == int(path.stem)  # all of the first file, and one of this
    with pytest.raises(JournalCorrupt, match="does not follow"):
        book.open()


def test_who_changes_an_event_and_its_chain_is_found_out_by_the_next_one(book: Book) -> None:
    path = book.files()[0]
    lines = lines_of(path)
    position, _, body = segments.unframe(lines[1])
    body = body.replace(b'"name":"1"', b'"name":"X"')
    before = segments.beginning(verify(book.folder).journal_id)
    lines[1] = segments.frame(position, body, segments.chained(before, body))
    path.write_bytes(b"".join(lines))
    found = broken_in(book)
    assert found.broken
    assert (found.broken.line, found.broken.event_id) == (3, event_id(lines[2]))


def test_who_writes_a_whole_file_anew_is_found_out_by_the_file_behind_it(book: Book) -> None:
    path = book.files()[0]
    lines, chain = lines_of(path), segments.beginning(verify(book.folder).journal_id)
    for n, line in enumerate(lines[1:], start=1):
        position, _, body = segments.unframe(line)
        body = body.replace(b'"name":"1"', b'"name":"X"')
        chain = segments.chained(chain, body)
        lines[n] = segments.frame(position, body, chain)
    path.write_bytes(b"".join(lines))
    assert f"does not follow from {path.name}" in str(broken_in(book).broken)


def test_a_record_taken_out_is_found_with_or_without_renumbering(book: Book) -> None:
    path = book.files()[0]
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert "line 3" in str(broken_in(book).broken)
    assert "position 3 where 2 belongs: a record was taken out" in str(broken_in(book).broken)
    _, chain, body = segments.unframe(lines[3])
    path.write_bytes(b"".join([*lines[:2], segments.frame(2, body, chain), *lines[4:]]))
    assert "does not follow from the one before" in str(broken_in(book).broken)


def test_a_doubled_file_is_found_under_any_name(book: Book) -> None:
    first, second = book.files()[:2]
    copy = first.with_name(f"{int(second.stem) - 1:012d}.journal")
    shutil.copy(first, copy)
    assert "was it copied or renamed?" in str(broken_in(book).broken)
    lines = lines_of(first)
    header = json.loads(lines[0][20:])
    lines[0] = framed(b"0 " + json.dumps(header | {"first": int(copy.stem)}, separators=(",", ":")).encode())
    copy.write_bytes(b"".join(lines))
    assert f"but {first.name} goes to {int(second.stem) - 1}: one of them is there twice" in str(broken_in(book).broken)


@pytest.mark.parametrize("nth", [0, 1])
def test_a_missing_file_is_named_by_where_it_begins(book: Book, nth: int) -> None:
    missing = book.files()[nth]
    missing.unlink()
    assert f"that beginning at {int(missing.stem)} is missing" in str(broken_in(book).broken)


def test_an_append_cut_off_by_a_crash_is_told_and_is_no_damage(book: Book) -> None:
    with book.files()[-1].open("ab") as file:
        file.write(b"000001f0 8badf00d 13 {")
    found = verify(book.folder)
    assert found.is_whole
    assert "ends in mid-line" in found.torn
    assert found.records == COUNT


def test_whole_records_cut_off_at_the_end_are_missed_by_the_journals_own_note(book: Book) -> None:
    path = book.files()[-1]
    path.write_bytes(b"".join(lines_of(path)[:-1]))
    found = broken_in(book)
    assert f"ends at record {COUNT - 1}, but the journal's own note of its end knows {COUNT}" in str(found.broken)


def test_a_record_cut_in_the_middle_that_was_acknowledged_is_not_called_a_crash(book: Book) -> None:
    path = book.files()[-1]
    path.write_bytes(path.read_bytes()[:-10])
    found = broken_in(book)
    assert f"knows {COUNT}" in str(found.broken)
    assert found.torn == ""


def test_a_journal_shorter_than_redis_remembers_or_with_another_record_there_is_broken(book: Book) -> None:
    whole = verify(book.folder)
    assert verify(book.folder, [ChainHead(COUNT, whole.head, "Redis")]).is_whole
    shorter = verify(book.folder, [ChainHead(COUNT + 2, "aa", "Redis")])
    assert f"ends at record {COUNT}, but Redis knows {COUNT + 2}: its end was cut off" in str(shorter.broken)
    other = verify(book.folder, [ChainHead(3, "aa", "Redis")])
    assert "record 3 is not the one that Redis knows" in str(other.broken)
    assert other.broken
    assert other.broken.event_id


def test_records_of_before_the_chain_are_held_fast_by_the_first_file_that_has_one(tmp_path: Path) -> None:
    book = Book(tmp_path / "journal")
    book.append(book.open(), "one", "two")
    book.close()
    path = book.files()[0]
    journal_id = verify(book.folder).journal_id
    bodies = [segments.unframe(line)[2] for line in lines_of(path)[1:]]
    header = json.dumps({"journal": journal_id, "first": 1, "format": 1}, separators=(",", ":")).encode()
    old = [segments.frame(0, header), *(segments.frame(n, body) for n, body in enumerate(bodies, start=1))]
    path.write_bytes(b"".join(old))
    journal: Journal = book.open()
    book.append(journal, "three")
    assert names(journal) == ["one", "two", "three"]
    assert len(book.files()) == 2
    journal.close()
    assert verify(book.folder).is_whole
    path.write_bytes(b"".join([*old[:1], segments.frame(1, bodies[0].replace(b"one", b"eno")), *old[2:]]))
    assert f"does not follow from {path.name}" in str(broken_in(book).broken)


def test_the_command_prints_what_is_broken_and_fails(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["verify", "--data-dir", str(book.folder.parent)]
    assert hotline.main(command) == 0
    assert f"{COUNT} records in {len(book.files())} files, whole and unchanged" in capsys.readouterr().out
    path = book.files()[1]
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"name":"', b'"game":"', 1))
    assert hotline.main([*command, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["broken"]["file"], told["broken"]["line"], told["is_whole"]) == (str(path), 2, False)
    assert "the checksum is wrong" in told["broken"]["what"]
    assert told["broken"]["event_id"]


def test_the_command_says_that_there_is_no_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotline.main(["verify", "--data-dir", str(tmp_path)]) == 2
    assert "there is no journal in" in capsys.readouterr().err
