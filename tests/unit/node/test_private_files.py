"""What the console puts on disk is for the user of the service only, whatever others may read by default."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from callback_scheduler.journal.segments import Mark, create, write_mark
from console.people import json_file
from node.operations.site.files import SiteFiles


@pytest.fixture(autouse=True)
def _everybody_may_read() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_files_of_site_accounts_and_audit_log_are_private(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path / "site")
    files.put("units.yaml", b"before")
    files.put("units.yaml", b"after")
    json_file.write(tmp_path / "console" / "accounts.json", {})
    folder = tmp_path / "audit"
    folder.mkdir()
    create(folder, "id", 1, "chain")
    write_mark(folder, "end", Mark(1, "chain"))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 6
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
