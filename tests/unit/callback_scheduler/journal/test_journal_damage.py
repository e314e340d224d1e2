"""Damage on the disk: a torn tail is kept aside; all else is named by file, line and byte, and not built on."""

from __future__ import annotations

import pytest

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal import segments
from callback_scheduler.journal.segments import END_MARK
from tests.fakes.book import Book, names


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
