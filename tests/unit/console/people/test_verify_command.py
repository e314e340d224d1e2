"""hotline verify: journal and audit log read as they lie on disk, and what is not as it was written is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotline
from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.ledger.verification import ChainHead
from console.people import verify_command
from console.people.audit import audit_folder
from tests.fakes.book import Book


def written(folder: Path, *names: str) -> Book:
    """Return a closed journal with these events."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    book = Book(folder)
    journal = book.open()
    book.append(journal, *names)
    journal.close()
    return book


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Book]:
    book = written(tmp_path / "journal", "one", "two", "three")
    yield book
    book.close()


@pytest.fixture
def acts(tmp_path: Path) -> Iterator[Book]:
    book = written(audit_folder(tmp_path), "logged in", "numbers shown")
    yield book
    book.close()


def verified(data_dir: Path, *options: str) -> int:
    return hotline.main(["verify", "--data-dir", str(data_dir), *options])


def tampered(book: Book) -> Path:
    """Change a letter of the second event of a journal, and return its file."""
    (path,) = book.files()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b'"name"', b'"game"'), *lines[3:]]))
    return path


def test_a_whole_journal_without_a_console_is_told_with_its_chain(
    journal: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(tmp_path) == 0
    first, without_redis, chain = capsys.readouterr().out.splitlines()
    assert first == "3 records in 1 files, whole and unchanged"
    assert "not compared with it" in without_redis
    assert chain.startswith("chain of record 3: ")


def test_the_audit_log_is_read_too_and_breaks_the_whole_by_itself(
    journal: Book, acts: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(tmp_path) == 0
    assert "audit log of the console: 2 acts, whole and unchanged" in capsys.readouterr().out
    path = tampered(acts)
    assert verified(tmp_path) == 1
    said = capsys.readouterr().out
    assert "3 records in 1 files, whole and unchanged" in said
    assert f"audit log of the console: {path}, line 3" in said
    assert verified(tmp_path, "--json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["is_whole"], facts["audit"]["is_whole"], facts["audit"]["broken"]["line"]) == (True, False, 3)


def test_a_journal_that_was_changed_is_named_with_its_good_records_and_the_way_out(
    journal: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tampered(journal)
    assert verified(tmp_path) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{path}, line 3")
    assert "1 good records before it" in said
    assert JournalCorrupt.what_to_do in said


def test_an_append_that_a_crash_cut_off_is_told_and_is_no_fault(
    journal: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = journal.files()
    with path.open("ab") as file:
        file.write(b"000001f0 8badf00d 4 {")
    assert verified(tmp_path) == 0
    assert "cut off by a crash, never acknowledged" in capsys.readouterr().out


def test_a_journal_that_is_shorter_than_redis_remembers_is_not_whole(
    journal: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_command, "head_in_redis", lambda journal_id, url: ChainHead(9, "aa", "Redis"))
    assert verified(tmp_path, "--json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["was_compared_with_redis"], facts["is_whole"], facts["audit"]) == (True, False, None)


def test_where_there_is_no_journal_nothing_is_said_to_be_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(tmp_path) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"there is no journal in {tmp_path / 'journal'}" in said.err
