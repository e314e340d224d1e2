"""Rules for every test run: no skipped test in CI, no luck, and nothing left in the temporary folder."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import schedule
from tests.leftovers import OwnTemporaryFolder

# No example fails for being slow: a test machine may be busy, and speed is a benchmark's matter. Neither profile
# remembers what failed before: a seed alone says which examples are tried.
for _name, _is_fixed in (("fixed", True), ("random", False)):
    settings.register_profile(
        _name, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None, derandomize=_is_fixed
    )
settings.load_profile("fixed")


def pytest_configure(config: pytest.Config) -> None:
    """Let nothing that a test leaves in the temporary folder pass unseen, and a seed that is given count.

    Fixed examples would pass the seed over without a word.
    """
    config.pluginmanager.register(OwnTemporaryFolder(config))
    if config.getoption("--hypothesis-seed") is not None and not config.getoption("--hypothesis-profile"):
        settings.load_profile("random")


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
