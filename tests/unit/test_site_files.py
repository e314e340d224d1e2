"""Where a change of the site is tried out: in the data folder, for as long as the trial, and no longer than a node."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from node.operations.site.files import SiteFiles
from tests.sip.processes import dying_with_us


def in_temporary_folder() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).iterdir()}


def test_a_trial_is_private_apart_from_what_counts_and_gone_afterwards(tmp_path: Path) -> None:
    files, before = SiteFiles(tmp_path / "site"), in_temporary_folder()
    with files.trial() as one, files.trial() as other:
        (one / "units.yaml").write_text("units: {}")
        assert one != other
        assert files.read("units.yaml") is None
        assert tmp_path in one.parents
        assert tmp_path / "site" not in one.parents
        assert one.stat().st_mode & 0o077 == 0
        assert in_temporary_folder() == before
    assert [path for path in tmp_path.rglob("*") if path.name != "trials"] == []


def test_a_trial_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Path] = []

    def broken_off() -> None:
        with SiteFiles(tmp_path / "site").trial() as folder:
            (folder / "units.yaml").write_text("units: {}")
            seen.append(folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert not seen[0].exists()


def test_what_a_killed_node_was_trying_is_swept_by_the_next_one(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from node.operations.site.files import SiteFiles\n"
        "with SiteFiles(Path(sys.argv[1])).trial() as folder:\n"
        "    (folder / 'units.yaml').write_text('units: {}'); print(folder, flush=True); time.sleep(60)\n"
    )
    command = dying_with_us([sys.executable, "-c", code, str(tmp_path / "site")])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        folder = Path(node.stdout.readline().strip())
        node.kill()
    assert (folder / "units.yaml").exists()
    files = SiteFiles(tmp_path / "site")
    files.put("units.yaml", b"units: {a: b}")
    files.sweep_trials()
    assert not folder.exists()
    assert files.read("units.yaml") == b"units: {a: b}"
