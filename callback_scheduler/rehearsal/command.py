"""`hotline rehearse`: plays a period with made-up people, prints which orders would breach and why."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import structlog
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.verdict import Verdict, verdict
from callback_scheduler.rehearsal.rehearsal import Rehearsal, rehearse
from callback_scheduler.reports.table import TOTAL, VERDICT_WORDS, aligned
from routing.clock import SHANGHAI
from routing.site import Site

reactor: Any = installed_reactor  # Twisted gives the module this type's name, not its interface
_BREACHES_SHOWN = 20
_IN_MEMORY = Path("/dev/shm")  # nothing here is to be kept, so no disk has to be waited for
_PREFIX = "hotline-rehearsal-"
_JUST_MADE_S = 60.0  # a folder this young may be about to be held


def run(site: Site, options: argparse.Namespace) -> int:
    """Play and print; return 0, 1 if it failed, 2 for a period that is none."""
    if options.until < options.since or options.orders < 1:
        print("--to is before --from, or there is nothing to play", file=sys.stderr)
        return 2
    began_s = time.monotonic()
    try:
        played = play_quietly(site, options)
    except Exception as failed:
        print(f"the rehearsal failed: {failed}", file=sys.stderr)
        return 1
    result = as_fields(played, site, options)
    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        print(as_table(result, None if options.all else _BREACHES_SHOWN))
    print(f"{played.events} events in {time.monotonic() - began_s:.1f} s", file=sys.stderr)
    return 0


def play_quietly(site: Site, options: argparse.Namespace) -> Rehearsal:
    """Run the reactor until the rehearsal is over, and leave nothing behind; once in a process.

    A signal ends the process, with 1.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    gc.disable()  # it is over in a minute, and looking for what goes round in circles costs much of it
    try:
        with _throw_away_folder() as folder:
            return _play(site, folder, options)
    except InterruptedError as interrupted:
        try:
            print(f"the rehearsal failed: {interrupted}", file=sys.stderr, flush=True)
        finally:  # whoever would have read it may be gone, and the pipe with them
            os._exit(1)  # the threads of journal and Redis would stay, and wait for ever; the Redis dies with its own


@contextmanager
def _throw_away_folder() -> Iterator[Path]:
    parent = _IN_MEMORY if _IN_MEMORY.is_dir() else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it goes by itself at this moment, or belongs to another user
            if time.time() - left.stat().st_mtime > _JUST_MADE_S:
                _sweep(left)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder,
        _held(Path(folder)),
    ):
        yield Path(folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder as ours; however this process ends, nobody holds it then. BlockingIOError if another one does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Take away what a rehearsal left that was killed; BlockingIOError if it still runs."""
    with _held(folder):
        shutil.rmtree(folder)


def _play(site: Site, folder: Path, options: argparse.Namespace) -> Rehearsal:
    """Run the reactor until the rehearsal is over."""
    ended: list[Rehearsal | Failure] = []

    def begin() -> None:
        playing = ensureDeferred(
            rehearse(
                site,
                folder,
                reactor,
                since=_midnight(options.since),
                until=_midnight(options.until + timedelta(days=1)),
                orders=options.orders,
                seed=options.seed,
            )
        )
        playing.addBoth(ended.append)
        playing.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not ended:
        raise InterruptedError("it was interrupted")
    if isinstance(ended[0], Failure):
        ended[0].raiseException()
    assert isinstance(ended[0], Rehearsal)
    return ended[0]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day.min, SHANGHAI)


# -- what is printed --------------------------------------------------------------------------------------------------


def as_fields(played: Rehearsal, site: Site, options: argparse.Namespace) -> dict[str, Any]:
    """Return all of a rehearsal as JSON; nothing in it depends on the machine it was played on."""
    names = {unit.unit_id: unit.name for unit in site.directory.units}
    in_use = [unit_id for unit_id in names if any(order.unit_id == unit_id for order in played.orders)]
    return {
        "from": options.since.isoformat(),
        "to": options.until.isoformat(),
        "ended_at": played.ended_at.isoformat(),
        "seed": options.seed,
        "calendar": site.calendar.version,
        "calls": played.calls,
        "orders": len(played.orders),
        "attempts": sum(len(order.attempts) for order in played.orders),
        "leaders_rung": played.reminders_rung,
        "events": played.events,
        "verdicts": _counts(played.verdicts()),
        "units": [
            {"unit_id": unit_id, "name": names[unit_id], "verdicts": _counts(played.verdicts(unit_id))}
            for unit_id in in_use
        ],
        "breaches": [_breach(order, names, played.ended_at) for order in played.breaches],
    }


def _counts(found: Counter[Verdict]) -> dict[str, int]:
    return {kind.value: found[kind] for kind in VERDICT_WORDS}


def _breach(order: Order, names: Mapping[str, str], at: datetime) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "unit_id": order.unit_id,
        "unit": names.get(order.unit_id, order.unit_id),
        "opened_at": order.opened_at.isoformat(),
        "due_at": order.due_at.isoformat(),
        "reached_at": order.reached_at.isoformat() if order.reached_at else None,
        "verdict": verdict(order, at).value,
        "cause": order.breach_cause,
    }


def as_table(result: Mapping[str, Any], most_breaches: int | None) -> str:
    """Return a rehearsal for people: figures by unit, then the first `most_breaches` orders that would breach."""
    breaches: Sequence[Mapping[str, Any]] = result["breaches"]
    shown = breaches[:most_breaches]
    lines = [("承办单位", "工单", *VERDICT_WORDS.values())]
    lines += [_row(unit["name"], unit["verdicts"]) for unit in result["units"]]
    lines.append(_row(TOTAL, result["verdicts"]))
    left_out = f"（列出前 {len(shown)} 件，--all 列出全部）" if len(shown) < len(breaches) else ""
    told = [
        f"回电演练  {result['from']} 至 {result['to']}  来电 {result['calls']}  工单 {result['orders']}  "
        f"拨打 {result['attempts']}  领导提醒 {result['leaders_rung']}  种子 {result['seed']}",
        aligned(lines),
        f"将逾期 {len(breaches)} 件{left_out}",
    ]
    told += [f"{one['order_id']}  {one['due_at'][:16]}  {one['unit']}  {one['cause']}" for one in shown]
    return "\n".join(told)


def _row(name: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    return (name, str(sum(counts.values())), *map(str, counts.values()))
