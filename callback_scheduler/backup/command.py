"""`hotline backup` and `hotline restore`: what an operator asks, and what he is told."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

from callback_scheduler.backup.archive import back_up
from callback_scheduler.backup.restore import CONFIG_FOLDER, restore
from callback_scheduler.errors import BackupError
from config.settings import Settings
from routing.clock import SystemClock
from routing.site import Site

_CHUNK = 1024 * 1024


def run_backup(site: Site, settings_file: Path, target: Path, until: int | None) -> int:
    """Write a backup and print what is in it; 2 if it was not made. `until`: see `backup.back_up`."""
    data_dir, keep_days = site.settings.data_dir, site.settings.keeping.keep_days
    files = config_files(settings_file, site.settings)
    if not (data_dir / "journal").is_dir():
        print(f"there is no journal in {data_dir}", file=sys.stderr)
        return 2
    try:
        made = back_up(data_dir, files, target, SystemClock().now(), until, keep_days=keep_days)
    except BackupError as failed:
        print(failed, file=sys.stderr)
        return 2
    print(f"{target}: {made.files} files, {made.size} bytes, journal up to record {made.position}")
    print(f"chain of record {made.position}: {made.chain or '-'}\nSHA-256 of the archive: {_digest(target)}")
    print(f"It holds numbers, names and voices of callers: keep it until {made.keep_until}, then delete it.")
    for name in made.gone:
        print(f"deleted while the backup was made: {name}")
    return 0


def run_restore(archive: Path, data_dir: Path) -> int:
    """Restore a backup and print what there is now; 2 if it was refused."""
    try:
        put_back = restore(archive, data_dir)
    except BackupError as refused:
        print(refused, file=sys.stderr)
        return 2
    print(f"{data_dir}: {put_back.files} files of {put_back.made_at}, journal whole up to record {put_back.position}")
    print(f"chain of record {put_back.position}: {put_back.chain or '-'}")
    print(f"The configuration is in {data_dir / CONFIG_FOLDER}; Redis is rebuilt from the journal at the next start.")
    if put_back.keep_until:
        print(f"What may be kept no longer is forgotten when the node starts. The archive may be kept until "
              f"{put_back.keep_until}.")  # fmt: skip
    if put_back.made_of != str(data_dir.absolute()):
        print(f"Orders name their recordings below {put_back.made_of}: link that path here, or restore there.")
    return 0


def config_files(settings_file: Path, settings: Settings) -> dict[str, Path]:
    """Return the files of a site by their names in the archive: as beside hotline.yaml, others in elsewhere/."""
    folder = settings_file.absolute().parent
    files = [settings_file.absolute(), settings.directory_file, settings.matters_file]
    files += sorted(settings.calendar_dir.glob("*.csv"))
    files += sorted(path for path in settings.prompts.directory.glob("*") if path.is_file())
    named = {}
    for number, path in enumerate(files):
        is_beside = path.is_relative_to(folder)
        named[path.relative_to(folder).as_posix() if is_beside else f"elsewhere/{number}-{path.name}"] = path
    return named


def _digest(path: Path) -> str:
    hashed = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()
