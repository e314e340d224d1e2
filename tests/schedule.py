"""Shares the tests out among processes: real calls mostly wait, so they go on side by side; the rest works beside them.

All but one process begin with calls, module by module, those that take longest first. One process has the other tests,
which work all the time, at a lower priority, so that what is said in a call is in time. A process that finds no more
calls stands back as well, and helps with the rest; it never goes back to calls.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

# with sound that is listened to; the calls of other tests in a browser may be late
_CALLS = ("tests/sip/", "tests/web/test_browser_seat.py", "tests/web/test_browser_unit.py")
_LONGEST_FIRST = (
    "tests/sip/test_two_nodes.py", "tests/sip/test_callbacks.py", "tests/web/test_browser_seat.py",
    "tests/sip/test_service_conversation.py", "tests/sip/test_faults_redis.py", "tests/sip/test_service_callers.py",
    "tests/sip/test_faults_node.py", "tests/sip/test_service_sipp.py", "tests/sip/test_demo_afterwards.py",
)  # fmt: skip
# a browser works with several processes at once: it comes when most calls are over
_LAST = "tests/web/test_browser_"
STANDS_BACK = 10  # the priority of what is no call


def is_call(nodeid: str) -> bool:
    """Tell whether a test, or a module of tests, has real calls that are listened to."""
    return nodeid.startswith(_CALLS)


def in_order(items: list[pytest.Item]) -> None:
    """Sort tests as they are to be given out; those of a module stay together, as they were."""
    items.sort(key=lambda item: _place(item.nodeid.partition("::")[0]))


def _place(module: str) -> tuple[bool, int, bool]:
    long = _LONGEST_FIRST.index(module) if module in _LONGEST_FIRST else len(_LONGEST_FIRST)
    return not is_call(module), long, module.startswith(_LAST)


def stand_back(nodeid: str) -> None:
    """Lower the priority of this process, if it is one of several, once it comes to a test without calls."""
    if "PYTEST_XDIST_WORKER" in os.environ and not is_call(nodeid):
        os.setpriority(os.PRIO_PROCESS, 0, max(STANDS_BACK, os.getpriority(os.PRIO_PROCESS, 0)))


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what gives modules of tests to the processes."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not there when tests run in one process

    class CallsApart(LoadScopeScheduling):  # type: ignore[misc]
        """Calls for all processes but the last, and the rest for the last; then the rest for all."""

        def __init__(self) -> None:
            config.option.loadscopereorder = False
            super().__init__(config, log)
            self._stand_back: set[Any] = set()

        def schedule(self) -> None:
            collected = self.registered_collections.get(self.nodes[-1], [])
            if self.collection is None and len(self.nodes) > 1 and not all(map(is_call, collected)):
                self._stand_back.add(self.nodes[-1])
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0]

        def _assign_work_unit(self, node: Any) -> None:
            wanted = self._wanted(node)
            if wanted is not None:
                self.workqueue.move_to_end(wanted, last=False)
                super()._assign_work_unit(node)

        def _reschedule(self, node: Any) -> None:
            if self.workqueue and self._wanted(node) is None:
                node.shutdown()
            else:
                super()._reschedule(node)

        def _wanted(self, node: Any) -> str | None:
            """Return the next module for a process; None when all that is left are calls, and it stands back."""
            calls: list[str] = [module for module in self.workqueue if is_call(module)]
            others: list[str] = [module for module in self.workqueue if not is_call(module)]
            if calls and node not in self._stand_back:
                return str(calls[0])
            if others:
                self._stand_back.add(node)
                return str(others[0])
            return None

    return CallsApart()
