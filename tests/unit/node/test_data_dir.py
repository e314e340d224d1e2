"""What lies in a data_dir is for the node's own user, whoever left it there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import ensureDeferred

import hotline
from node.data_dir import DataDirHold, make_private
from tests.fakes.orders import done


def modes(folder: Path) -> dict[str, int]:
    found = [folder, *folder.rglob("*")]
    return {path.relative_to(folder).as_posix(): stat.S_IMODE(path.lstat().st_mode) for path in found}


def test_what_others_could_read_is_closed_to_them_when_the_node_takes_the_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "var", tmp_path / "outside.wav"
    (folder / "recordings" / "2026").mkdir(parents=True, mode=0o755)
    talk = folder / "recordings" / "2026" / "talk.wav"
    for path in (talk, outside):
        path.write_bytes(b"")
        path.chmod(0o644)
    folder.chmod(0o755)
    (folder / "link.wav").symlink_to(outside)
    hold = DataDirHold(folder)
    done(ensureDeferred(hold.take()))
    found = modes(folder)
    del found["link.wav"]
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert make_private(folder) == 0
    done(ensureDeferred(hold.let_go()))


def test_backups_are_for_the_user_who_makes_them_whatever_the_umask(tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    journal = tmp_path / "var" / "journal"
    journal.mkdir(parents=True)
    script = (
        "import os, sys, hotline; os.umask(0); "
        "from twisted.internet import reactor; from callback_scheduler.journal.journal import Journal; "
        f"from pathlib import Path; one = Journal(Path({str(journal)!r}), reactor); one.open(); one.close(); "
        f"sys.exit(hotline.main(['backup', {str(archive)!r}, '--data-dir', {str(tmp_path / 'var')!r}]) "
        f"or hotline.main(['restore', {str(archive)!r}, '--data-dir', {str(tmp_path / 'again')!r}]))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(hotline.__file__).parent)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env, capture_output=True, timeout=60)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    found = modes(tmp_path / "again")
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}
