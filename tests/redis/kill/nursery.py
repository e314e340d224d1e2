"""A process that has everything imported, and forks a node from it for each line it reads: `python -m …nursery`.

A node is a process of its own all the same, with a reactor, files and connections that it opens itself; only the
second that the imports take is shared. It prints the process id of each node, then how it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from twisted.internet import defer
from twisted.internet.task import Clock as VirtualTime
from twisted.python.failure import Failure

import config
from routing.clock import MovableClock
from routing.site import Site, load_site
from tests.redis.kill.day import Day, Plan, redis_by_the_clock_of, wait_for_a_busy_machine
from tests.redis.kill.points import POINTS, Point
from tests.redis.kill.storm import Storm
from tests.redis.kill.town import Caller
from tests.redis.kill.trap import Trap
from tests.redis.kill.witness import Witness

_PR_SET_PDEATHSIG = 1


def plan_of(line: str) -> Plan:
    """Return the plan that a line of JSON tells of."""
    fields = json.loads(line)
    for name in ("begins_at", "ends_at", "armed_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    callers = [Caller(number, datetime.fromisoformat(at)) for number, at in fields.pop("callers")]
    return Plan(**fields, callers=callers)


def _new_reactor() -> Any:
    """Return a reactor that shares nothing with the one that was imported before the fork."""
    sys.modules.pop("twisted.internet.reactor", None)
    from twisted.internet import epollreactor  # noqa: PLC0415

    epollreactor.install()
    from twisted.internet import reactor  # noqa: PLC0415

    return reactor


def live(plan: Plan, site: Site) -> None:
    """Be the node of a plan; ends the process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    sys.stdin.close()
    with Path(plan.witness).with_suffix(f".{plan.life}.log").open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log), cache_logger_on_first_use=False)
        reactor = _new_reactor()
        life = _life(plan, site, reactor)
        failures: list[Failure] = []

        def begin() -> None:
            living = defer.ensureDeferred(life.live())
            living.addErrback(failures.append)
            living.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(begin)
        reactor.run()
        for failure in failures:
            failure.printTraceback(log)
        log.flush()
        os._exit(len(failures))


def _life(plan: Plan, site: Site, reactor: Any) -> Storm | Day:
    """Return what the node will live through, with the trap of its plan set."""
    time = VirtualTime()
    clock = MovableClock(plan.begins_at, monotonic=time.seconds)
    witness = Witness(Path(plan.witness), plan.life)
    wait_for_a_busy_machine()
    redis_by_the_clock_of(clock)
    point = POINTS.get(plan.point)
    if isinstance(point, Point):  # before anybody holds on to the function that it is put into
        Trap(plan.point, point, plan.armed_at, plan.nth, now=clock.now, witness=witness).set()
    if plan.is_storm:
        return Storm(plan, reactor=reactor, witness=witness)
    return Day(plan, site, reactor=reactor, time=time, clock=clock, witness=witness)


def main() -> None:
    """Fork a node for every plan, one after the other, until nobody gives any more."""
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    for line in sys.stdin:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                live(plan_of(line), site)
            finally:
                os._exit(3)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
