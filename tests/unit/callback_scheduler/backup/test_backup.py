"""A backup: every file as it was, or a refusal that names the one that is not."""

from __future__ import annotations

import io
import json
import os
import resource
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.backup.archive import MANIFEST, Backup, back_up
from callback_scheduler.backup.restore import CONFIG_FOLDER, restore
from callback_scheduler.errors import BackupError
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.scan import segment_files
from callback_scheduler.ledger.retention import archive
from callback_scheduler.ledger.verification import verify

AT = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
RECORDS = 30
SOUND = b"RIFF" + bytes(range(256)) * 40


class Straight:
    """A reactor whose thread is every thread."""

    def callFromThread(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The folder of a node that was stopped: a journal of several files, and what lies beside it."""
    folder = tmp_path / "var"
    files = {
        "recordings/2026/03/03/a-talk.wav": SOUND,
        "notices/city/cursor.json": b'{"position": 20}',
        "redis/appendonly.aof": b"rebuilt",
        "prompts/zh/cached.wav": b"made again",
        "notices/city/cursor.json.new": b"half made",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    journal = Journal(folder / "journal", Straight(), segment_bytes=2500)
    journal.open()
    for number in range(RECORDS):
        written = journal.append(JournalEvent.new("order_opened", {"order_id": f"{number}", "公司": "长宁"}, AT))
        while not written.called:  # one group each, so that there are several files
            pass
    journal.close()
    assert len(segment_files(folder / "journal")) > 2
    return folder


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "hotline.yaml"
    path.write_text("data_dir: var\n")
    return path


def made(data_dir: Path, settings_file: Path, until: int | None = None) -> tuple[Path, Backup]:
    archive = data_dir.parent / f"backup-{until}.tar.gz"
    return archive, back_up(data_dir, {"hotline.yaml": settings_file}, archive, AT, until)


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        return {member.name: packed.extractfile(member).read() for member in packed}  # type: ignore[union-attr]


def pack(archive: Path, files: dict[str, bytes]) -> None:
    """Write an archive as somebody would who wants to change one."""
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


@contextmanager
def little_room(most_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: EFBIG, as a full disk is ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_restored_is_what_was_there(data_dir: Path, settings_file: Path, tmp_path: Path) -> None:
    packed, backup = made(data_dir, settings_file)
    assert backup.position == RECORDS
    assert os.stat(packed).st_mode & 0o777 == 0o600
    back = restore(packed, tmp_path / "empty")
    assert (back.position, back.chain) == (RECORDS, verify(data_dir / "journal").head)
    for name in ("recordings/2026/03/03/a-talk.wav", "notices/city/cursor.json"):
        assert (tmp_path / "empty" / name).read_bytes() == (data_dir / name).read_bytes()
    for path in segment_files(data_dir / "journal"):
        assert (tmp_path / "empty" / "journal" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "empty" / CONFIG_FOLDER / "hotline.yaml").read_text() == "data_dir: var\n"
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        "journal", "notices", "number-fence.json", "recordings", CONFIG_FOLDER,
    ]  # fmt: skip


def test_the_manifest_comes_last_and_has_a_digest_of_every_file(data_dir: Path, settings_file: Path) -> None:
    packed, _ = made(data_dir, settings_file)
    found = members(packed)
    assert list(found)[-1] == MANIFEST
    manifest = json.loads(found[MANIFEST])
    assert [file["path"] for file in manifest["files"]] == list(found)[:-1]
    assert all(len(file["sha256"]) == 64 for file in manifest["files"])


def test_receivers_of_notices_are_copied_before_the_journal_and_recordings_after(
    data_dir: Path, settings_file: Path
) -> None:
    packed, _ = made(data_dir, settings_file)
    folders = [name.split("/")[1] for name in members(packed) if name.startswith("data/")]
    assert list(dict.fromkeys(folders)) == ["notices", "journal", "recordings"]


@pytest.mark.parametrize("until", [0, 1, 7, 20, RECORDS - 1, RECORDS])
def test_the_journal_is_copied_up_to_the_record_that_was_on_disk(
    data_dir: Path, settings_file: Path, tmp_path: Path, until: int
) -> None:
    packed, backup = made(data_dir, settings_file, until)
    assert backup.position == until
    assert restore(packed, tmp_path / "empty").position == until
    journal = Journal(tmp_path / "empty" / "journal", Straight())
    journal.open()
    assert [event.payload["order_id"] for _, event in journal.replay()] == [str(n) for n in range(until)]
    journal.close()


@pytest.mark.parametrize("kept", [1, 2])
def test_a_journal_whose_first_files_were_archived_is_copied_from_there(
    data_dir: Path, settings_file: Path, tmp_path: Path, kept: int
) -> None:
    journal = Journal(data_dir / "journal", Straight(), segment_bytes=2500)
    journal.open()
    archive(journal, list(journal.segments[:-kept]), folder=None)
    first = journal.segments[0].first
    journal.close()
    packed, backup = made(data_dir, settings_file)
    assert backup.position == RECORDS
    assert restore(packed, tmp_path / "empty").position == RECORDS
    found = verify(tmp_path / "empty" / "journal")
    assert (found.is_whole, found.archived, found.records) == (True, first - 1, RECORDS - first + 1)


def test_a_record_that_is_being_written_is_left_out(data_dir: Path, settings_file: Path, tmp_path: Path) -> None:
    with segment_files(data_dir / "journal")[-1].open("ab") as file:
        file.write(b"00000094 1b2c3d4e 61 9f86")
    packed, backup = made(data_dir, settings_file)
    assert backup.position == RECORDS
    assert restore(packed, tmp_path / "empty").position == RECORDS


def test_a_journal_that_was_tampered_with_is_not_backed_up(data_dir: Path, settings_file: Path) -> None:
    segment = segment_files(data_dir / "journal")[1]
    segment.write_bytes(segment.read_bytes().replace("长宁".encode(), "黄浦".encode(), 1))
    with pytest.raises(BackupError, match=f"{segment.name}: line "):
        made(data_dir, settings_file)
    assert not list(data_dir.parent.glob("backup-*"))


def test_a_backup_replaces_nothing(data_dir: Path, settings_file: Path) -> None:
    packed, _ = made(data_dir, settings_file)
    with pytest.raises(BackupError, match="is there already"):
        made(data_dir, settings_file)
    assert packed.exists()


def test_a_folder_that_is_not_empty_is_left_alone(data_dir: Path, settings_file: Path, tmp_path: Path) -> None:
    packed, _ = made(data_dir, settings_file)
    used = tmp_path / "used"
    used.mkdir()
    (used / "journal").mkdir()
    with pytest.raises(BackupError, match="is not empty: it holds journal"):
        restore(packed, used)
    assert list(used.iterdir()) == [used / "journal"]


def change_a_recording(files: dict[str, bytes]) -> str:
    files["data/recordings/2026/03/03/a-talk.wav"] = SOUND[:-1] + b"x"
    return "a-talk.wav is not what was backed up"


def leave_a_file_out(files: dict[str, bytes]) -> str:
    del files["data/notices/city/cursor.json"]
    return "data/notices/city/cursor.json is missing"


def add_a_file(files: dict[str, bytes]) -> str:
    manifest = files.pop(MANIFEST)
    files["data/notices/evil.json"] = b"{}"
    files[MANIFEST] = manifest
    return "data/notices/evil.json is not in the manifest"


def add_a_file_behind(files: dict[str, bytes]) -> str:
    files["data/evil.json"] = b"{}"
    return "data/evil.json comes after the manifest"


def climb_out(files: dict[str, bytes]) -> str:
    manifest = files.pop(MANIFEST)
    files["data/../../evil"] = b"x"
    files[MANIFEST] = manifest
    return "data/../../evil does not belong into a backup"


def lose_the_manifest(files: dict[str, bytes]) -> str:
    del files[MANIFEST]
    return "ends without a manifest"


def change_the_journal_and_the_manifest(files: dict[str, bytes]) -> str:
    """Somebody who knows the format recomputes the digest, but not the chain."""
    from hashlib import sha256  # noqa: PLC0415

    name = next(name for name in files if name.endswith(".journal"))
    files[name] = files[name].replace("长宁".encode(), "黄浦".encode(), 1)
    manifest = json.loads(files[MANIFEST])
    for file in manifest["files"]:
        if file["path"] == name:
            file["sha256"] = sha256(files[name]).hexdigest()
    files[MANIFEST] = json.dumps(manifest).encode()
    return "the journal in the backup is not whole"


@pytest.mark.parametrize(
    "tamper",
    [
        change_a_recording, leave_a_file_out, add_a_file, add_a_file_behind, climb_out, lose_the_manifest,
        change_the_journal_and_the_manifest,
    ],
)  # fmt: skip
def test_an_archive_that_was_tampered_with_is_refused_whole(
    data_dir: Path, settings_file: Path, tmp_path: Path, tamper: Callable[[dict[str, bytes]], str]
) -> None:
    packed, _ = made(data_dir, settings_file)
    files = members(packed)
    complaint = tamper(files)
    pack(packed, files)
    with pytest.raises(BackupError) as refused:
        restore(packed, tmp_path / "empty")
    assert complaint in str(refused.value)
    assert not (tmp_path / "empty").exists()
    assert not (tmp_path / "evil").exists()


def test_an_archive_that_was_cut_off_or_damaged_is_refused(
    data_dir: Path, settings_file: Path, tmp_path: Path
) -> None:
    packed, _ = made(data_dir, settings_file)
    whole = packed.read_bytes()
    for broken in (whole[:-2000], whole[:100], b"", b"no archive at all", whole[:300] + b"\xff" * 9 + whole[309:]):
        packed.write_bytes(broken)
        with pytest.raises(BackupError, match=r"backup-None\.tar\.gz"):
            restore(packed, tmp_path / "empty")
        assert not (tmp_path / "empty").exists()


def test_a_full_disk_leaves_no_half_backup(data_dir: Path, settings_file: Path) -> None:
    with little_room(2000), pytest.raises(BackupError, match=r"backup-None.tar.gz.part: File too large; no backup"):
        made(data_dir, settings_file)
    assert not list(data_dir.parent.glob("backup-*"))


def test_a_full_disk_leaves_nothing_half_restored(data_dir: Path, settings_file: Path, tmp_path: Path) -> None:
    packed, _ = made(data_dir, settings_file)
    (tmp_path / "there").mkdir()
    with little_room(2000), pytest.raises(BackupError, match=r"/there/.*: File too large; nothing was restored"):
        restore(packed, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
