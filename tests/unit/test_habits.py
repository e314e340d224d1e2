"""What make and CI promise: a clear word when no Python fits, no test skipped unseen, no test failed by luck."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def fake(folder: Path, name: str, script: str) -> None:
    """Put a program of this name into `folder`."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def python_of(version: str, has_ensurepip: bool = True) -> str:
    """Return a script that answers the two questions of find-python as such an interpreter would."""
    return f'case "$2" in *ensurepip*) exit {0 if has_ensurepip else 1};; *) echo {version};; esac'


def find_python(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "sh").symlink_to("/bin/sh")
    environment = {"PATH": str(folder), "HOME": str(folder), **variables}
    return subprocess.run(
        ["/bin/sh", str(ROOT / ".ci" / "find-python")], env=environment, capture_output=True, text=True, check=False
    )


def test_a_newer_python3_is_passed_over_for_one_that_fits(tmp_path: Path) -> None:
    fake(tmp_path, "python3", python_of("3.13"))
    fake(tmp_path, "python3.12", python_of("3.12"))
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_a_python_that_is_named_comes_first(tmp_path: Path) -> None:
    fake(tmp_path, "mine", python_of("3.10"))
    fake(tmp_path, "python3.11", python_of("3.11"))
    assert find_python(tmp_path, PYTHON=str(tmp_path / "mine")).stdout == f"{tmp_path / 'mine'}\n"


def test_a_shim_without_an_interpreter_behind_it_is_passed_over(tmp_path: Path) -> None:
    fake(tmp_path, "python3.11", "exit 127")
    fake(tmp_path, "python3", python_of("3.10"))
    assert find_python(tmp_path).stdout == "python3\n"


def test_no_python_that_fits_is_said_with_what_was_found(tmp_path: Path) -> None:
    fake(tmp_path, "python3", python_of("3.13"))
    found = find_python(tmp_path)
    assert found.returncode == 1
    assert "No Python 3.10, 3.11 or 3.12 found" in found.stderr
    assert "python3 (Python 3.13)" in found.stderr


def test_a_python_without_ensurepip_is_said_with_the_package_to_install(tmp_path: Path) -> None:
    fake(tmp_path, "python3.11", python_of("3.11", has_ensurepip=False))
    found = find_python(tmp_path)
    assert found.returncode == 1
    assert "apt-get install python3.11-venv" in found.stderr


def test_missing_test_tools_are_named_where_they_may_not_be_installed(tmp_path: Path) -> None:
    fake(tmp_path, "id", "echo 1000")
    done = subprocess.run(
        ["/bin/sh", str(ROOT / ".ci" / "install-test-tools")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0
    assert "not installed: sip-tester redis-server" in done.stderr


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path: Path, ci: str, status: int) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "conftest.py")
    (tmp_path / "test_some.py").write_text(
        "import pytest\ndef test_good(): pass\ndef test_bad(): pytest.skip('SIPp is missing')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "CI": ci}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )
    assert done.returncode == status, done.stdout
    assert ("skipped in CI, which counts as failed" in done.stdout) == bool(status)
    assert "1 passed, 1 skipped" in done.stdout


def examples_tried(folder: Path, *options: str) -> str:
    """Run a property under our rules, and return the examples it was given."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "test_property.py").write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers())\n"
        "def test_it(number): print(number)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(folder), *options,
         str(folder)], cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.partition("\n.")[0]


def test_a_property_is_given_the_same_examples_in_every_run_and_others_by_a_seed(tmp_path: Path) -> None:
    usual = examples_tried(tmp_path)
    assert usual.count("\n") > 50
    assert examples_tried(tmp_path) == usual
    seventh = examples_tried(tmp_path, "--hypothesis-seed=7")
    assert seventh not in (usual, examples_tried(tmp_path, "--hypothesis-seed=8"))
    assert examples_tried(tmp_path, "--hypothesis-seed=7") == seventh


def fuzz(folder: Path, fails_in_round: int, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the rounds of `make fuzz` with a Python whose tests fail in one of them."""
    fake(folder, "python", f'echo "$@" >> {folder}/rounds\n[ "$(wc -l < {folder}/rounds)" -ne {fails_in_round} ]')
    environment = {**os.environ, "ROUNDS": "", "SEED": "", **variables}
    return subprocess.run(
        ["/bin/sh", str(ROOT / ".ci" / "fuzz"), str(folder / "python")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_fuzzing_ends_with_the_first_failure_and_says_its_seed(tmp_path: Path) -> None:
    done = fuzz(tmp_path, fails_in_round=3, ROUNDS="5")
    assert done.returncode == 1
    seeds = re.findall(r"--hypothesis-seed=(\d+)", (tmp_path / "rounds").read_text())
    assert len(set(seeds)) == 3
    assert done.stderr == f"round 3 ended with seed {seeds[2]}. The same examples again: make fuzz SEED={seeds[2]}\n"


def test_fuzzing_without_a_failure_ends_after_its_rounds(tmp_path: Path) -> None:
    done = fuzz(tmp_path, fails_in_round=0, ROUNDS="4")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no failure in 4 rounds")
    assert len((tmp_path / "rounds").read_text().splitlines()) == 4


def test_a_seed_that_is_given_is_tried_once(tmp_path: Path) -> None:
    assert fuzz(tmp_path, fails_in_round=0, SEED="19", ROUNDS="4").returncode == 0
    (only,) = (tmp_path / "rounds").read_text().splitlines()
    assert "-m hypothesis --hypothesis-seed=19" in only


@pytest.mark.parametrize("rounds", ["none", "0", "-1"])
def test_no_round_at_all_is_no_success(tmp_path: Path, rounds: str) -> None:
    assert fuzz(tmp_path, fails_in_round=0, ROUNDS=rounds).returncode == 2
