"""Gives each process of a test session a temporary folder of its own, and fails the session when something stays in it.

What is left is named with the module after which it was first there. Every process that a test starts inherits the
folder as TMPDIR, so what a killed child leaves is found as well.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

# environment: the folder of the whole session; each of its processes has its own in it, as well as what they share
SESSION = "HOTLINE_TEST_SESSION"
_OWN = "own-"
_FIRST_SEEN = "first-seen-"
_PATIENCE_S = 5.0  # what is just ending may take its files away


class OwnTemporaryFolder:
    """A pytest plugin, of the controller of a session and of each of its workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._before = {name: os.environ.get(name) for name in ("TMPDIR", "PYTEST_DEBUG_TEMPROOT", SESSION)}
        if not self._is_worker:
            # pytest keeps the folders of its last runs where it always does: what a test that failed left is looked at
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
            os.environ[SESSION] = tempfile.mkdtemp(prefix="hotline-tests-")
        self._session = Path(os.environ[SESSION])
        name = os.environ["PYTEST_XDIST_WORKER"] if self._is_worker else "main"
        self._own, self._first_seen = self._session / f"{_OWN}{name}", self._session / f"{_FIRST_SEEN}{name}"
        self._own.mkdir()
        self._known: set[str] = set()
        self.left: list[str] = []
        os.environ["TMPDIR"] = str(self._own)
        tempfile.tempdir = None  # it is asked anew

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """After the last test of a module, write down what is there that was not before."""
        result = yield
        if nextitem is None or nextitem.path != item.path:
            new = {path.name for path in self._own.iterdir()} - self._known
            self._known |= new
            with self._first_seen.open("a", encoding="utf-8") as seen:
                seen.writelines(f"{name}\t{item.nodeid.partition('::')[0]}\n" for name in sorted(new))
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look into the folders of all processes, when the workers have ended."""
        if self._is_worker:
            return
        until = time.monotonic() + _PATIENCE_S
        while (left := list(self._session.glob(f"{_OWN}*/*"))) and time.monotonic() < until:
            time.sleep(0.05)
        modules = self._modules()
        self.left = sorted(f"{path.name} (after {modules.get(path.name, 'the last test')})" for path in left)
        if self.left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what made the run fail by being left."""
        if self.left:
            terminalreporter.section("left behind in the temporary folder, which counts as failed", red=True)
            for told in self.left:
                terminalreporter.line(told)

    def pytest_unconfigure(self) -> None:
        """Take the folders away, and let the environment be as it was."""
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        tempfile.tempdir = None
        if not self._is_worker:
            shutil.rmtree(self._session, ignore_errors=True)

    def _modules(self) -> dict[str, str]:
        """Return after which module each file was first there."""
        lines = [line for file in self._session.glob(f"{_FIRST_SEEN}*") for line in file.read_text().splitlines()]
        return dict(line.rsplit("\t", 1) for line in lines)
