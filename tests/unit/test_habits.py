"""What make and CI promise: a clear word when no Python fits, no test skipped unseen, no test failed by luck."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
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
    assert "not installed: sip-tester baresip-core redis-server" in done.stderr


def run_of(folder: Path, tests: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest under our rules on these tests and on what is in `folder`."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "test_some.py").write_text(tests)
    ours = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder),
         "--basetemp", str(folder / "temporary"), *options],
        env={**ours, "PYTHONPATH": str(ROOT), **variables}, cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path: Path, ci: str, status: int) -> None:
    skipping = "import pytest\ndef test_good(): pass\ndef test_bad(): pytest.skip('SIPp is missing')\n"
    done = run_of(tmp_path, skipping, CI=ci)
    assert done.returncode == status, done.stdout
    assert ("skipped in CI, which counts as failed" in done.stdout) == bool(status)
    assert "1 passed, 1 skipped" in done.stdout


def examples_tried(folder: Path, *options: str) -> str:
    """Run a property under our rules, and return the examples it was given."""
    told = "from hypothesis import given, strategies as st\n@given(st.integers())\ndef test_it(number): print(number)\n"
    done = run_of(folder, told, "-q", "-s", *options)
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
_LEAVING = """
import tempfile
def test_clean(tmp_path):
    tempfile.TemporaryFile().close()
    (tmp_path / "own").mkdir()
def test_leaves():
    tempfile.mkdtemp(prefix="left-")
    tempfile.mkstemp(prefix="left-")
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_run_fails_by_the_name_of_what_stays_in_the_temporary_folder(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = run_of(tmp_path, _LEAVING, *options)
    assert done.returncode == 1, done.stdout
    assert "2 passed" in done.stdout
    named = re.findall(r"^left-\w+ \(after test_some\.py\)$", done.stdout, re.MULTILINE)
    assert len(named) == 2, done.stdout
    assert not [path for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith("hotline-tests-")]


def test_what_goes_while_the_run_ends_is_not_counted(tmp_path: Path) -> None:
    goes = "import tempfile, time; f = tempfile.NamedTemporaryFile(); print(1, flush=True); time.sleep(0.3)"
    starts = f"subprocess.Popen([sys.executable, '-c', {goes!r}], stdout=subprocess.PIPE).stdout.readline()"
    done = run_of(tmp_path, f"import subprocess, sys\ndef test_good(): {starts}\n")
    assert done.returncode == 0, done.stdout


_TELLING = """
import os, pathlib
def test_told():
    worker, priority = os.environ["PYTEST_XDIST_WORKER"], os.getpriority(os.PRIO_PROCESS, 0)
    with pathlib.Path("told").open("a") as told:
        told.write(f"{worker} {priority} {__file__}\\n")
"""


def test_calls_go_on_side_by_side_the_rest_stands_back_and_nobody_goes_from_it_to_calls(tmp_path: Path) -> None:
    for folder in ("sip", "unit"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "tests" / folder / f"test_{number}.py").write_text(_TELLING)
    done = run_of(tmp_path, "def test_some(): pass\n", "-n", "3", "--import-mode=importlib")
    assert "13 passed" in done.stdout, done.stdout
    told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
    of_worker = {worker: [line for line in told if line[0] == worker] for worker, _, _ in told}
    callers = {worker for worker, lines in of_worker.items() if "/sip/" in lines[0][2]}
    assert len(callers) == 2
    for lines in of_worker.values():
        are_calls = ["/sip/" in file for _, _, file in lines]
        assert are_calls == sorted(are_calls, reverse=True), lines
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert {int(priority) for _, priority, file in told if "/sip/" in file} == {own}
    assert {int(priority) for _, priority, file in told if "/unit/" in file} == {max(own, 10)}


def test_calls_alone_are_shared_by_all_processes(tmp_path: Path) -> None:
    (tmp_path / "tests" / "sip").mkdir(parents=True)
    for number in range(6):
        (tmp_path / "tests" / "sip" / f"test_{number}.py").write_text(_TELLING)
    done = run_of(tmp_path, "", "-n", "2", "--import-mode=importlib", "tests/sip")
    assert "6 passed" in done.stdout, done.stdout
    workers = {line.split()[0] for line in (tmp_path / "told").read_text().splitlines()}
    assert len(workers) == 2
