"""Rules for every test run: in CI a skipped test is a failed run, and nothing may stay in the temporary folder."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import schedule
from tests.leftovers import OwnTemporaryFolder

# no example fails for being slow: a test machine may be busy, and speed is a benchmark's matter
settings.register_profile("hotline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hotline")


def pytest_configure(config: pytest.Config) -> None:
    """Let nothing that a test leaves in the temporary folder pass unseen."""
    config.pluginmanager.register(OwnTemporaryFolder(config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let calls go on side by side, and the rest beside them."""
    return schedule.scheduler(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a process that has no calls, or no more, stand back: what is said in a call is listened to."""
    schedule.stand_back(item.nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the calls, which take longest."""
    schedule.in_order(items)


def _skips_fail() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("skipped", [])) if reporter is not None else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run into a failed one when CI=true and something was skipped."""
    if _skips_fail() and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the tests that made the run fail by being skipped."""
    skipped = _skipped(config)
    if not (_skips_fail() and skipped):
        return
    terminalreporter.section("skipped in CI, which counts as failed", red=True)
    for report in skipped:
        terminalreporter.line(report.nodeid)
