"""Rules for every test run: a skipped test fails CI, and examples of properties are the same each time."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No example fails for being slow: a test machine may be busy, and speed is a benchmark's matter. Neither profile
# remembers what failed before: a seed alone says which examples are tried.
for _name, _is_fixed in (("fixed", True), ("random", False)):
    settings.register_profile(
        _name, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None, derandomize=_is_fixed
    )
settings.load_profile("fixed")

_CALLS = "tests/sip/"
_began_with: list[str] = []  # the first test of this process


def pytest_configure(config: pytest.Config) -> None:
    """Try the examples of a seed that is given: fixed ones would pass it over without a word."""
    if config.getoption("--hypothesis-seed") is not None and not config.getoption("--hypothesis-profile"):
        settings.load_profile("random")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give one process the real calls, one after the other, and the other the rest, module by module."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not there when tests run in one process

    class CallsApart(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _CALLS if nodeid.startswith(_CALLS) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return CallsApart(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the process that did not begin with the calls stand back: what is said in a call is listened to."""
    if not _began_with:
        _began_with.append(item.nodeid)
        if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith(_CALLS):
            os.nice(10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the calls, which take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_CALLS))


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
