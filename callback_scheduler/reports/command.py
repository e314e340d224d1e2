"""`hotline report`: asks a running node's Redis, counts, prints."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.orders.causes import timeline
from callback_scheduler.reports.files import as_csv, as_json, miss_lines, order_lines, save_xlsx
from callback_scheduler.reports.orders import By
from callback_scheduler.reports.reader import middle, read_material
from callback_scheduler.reports.report import Counted, Question, Report, count, is_missed, report_of
from callback_scheduler.reports.rules import rule_named
from callback_scheduler.reports.table import table
from callback_scheduler.store.redis_socket import socket_url
from callback_scheduler.store.store import Store
from processes import forked
from routing.clock import SystemClock
from routing.site import Site
from routing.working_time import WorkingTime

_MISSES_SHOWN = 10
# A report waits longer for Redis than a caller does: it asks for thousands of lines at a time.
_PATIENCE_S = 10.0
_MANY = 20_000  # orders: fewer are counted before a second process has begun


def run(site: Site, options: argparse.Namespace) -> int:
    """Print or write the report; return 0, or 2 if it could not be had. `options.at` None means now."""
    gc.disable()  # nothing here goes round in circles, and looking for it costs half of the time
    try:
        return _run(site, options)
    finally:
        gc.enable()


def _run(site: Site, options: argparse.Namespace) -> int:
    at: datetime = options.at or SystemClock().now()
    units = {unit.unit_id: unit.name for unit in site.directory.units}
    if options.unit and options.unit not in units:
        print(f"no unit is called {options.unit!r}; there are {', '.join(units)}", file=sys.stderr)
        return 2
    since = options.since or at.date().replace(day=1)
    if options.until and options.until < since:
        print(f"--to {options.until} lies before --from {since}", file=sys.stderr)
        return 2
    rule = rule_named(options.rule, site.calendar)
    question = Question(at, rule, since, options.until, options.unit, By(options.by))
    try:
        report = _ask(site, question, units, tells_all=options.misses or options.json or bool(options.xlsx))
        _give(report, units, options)
    except StoreUnavailable as away:
        print(f"{away}\nThe report is read from the Redis of a running node: is `hotline serve` up with this data_dir, "
              "or does redis_url name the right server?", file=sys.stderr)  # fmt: skip
        return 2
    except BrokenPipeError:
        raise
    except OSError as wrong:
        print(f"{options.xlsx or 'standard output'} cannot be written: {wrong.strerror or wrong}", file=sys.stderr)
        return 2
    return 0


def _ask(site: Site, question: Question, units: Mapping[str, str], tells_all: bool) -> Report:
    """Return the report, with the timelines of all misses or of those that a terminal shows."""
    settings = site.settings
    url = settings.redis_address() or socket_url(settings.data_dir / "redis")
    store = Store.connect(url, timeout_s=_PATIENCE_S)
    try:
        cut_at = middle(store, question.since, question.at, _MANY)
        report = report_of(question, _count(url, site, question, cut_at), units)
        told = report.misses if tells_all else report.misses[:_MISSES_SHOWN]
        orders = {order.order_id: order for order in store.orders.orders_of([miss.facts.order_id for miss in told])}
    finally:
        store.close()
    misses = [
        replace(miss, timeline=tuple(timeline(orders[miss.facts.order_id]))) if miss.facts.order_id in orders else miss
        for miss in report.misses
    ]
    return replace(report, misses=tuple(misses))


def _count(url: str, site: Site, question: Question, cut_at: datetime | None) -> Counted:
    """Count all that is asked for; with `cut_at` what lies before it by a process of its own, on another core."""

    def count_part(**part: datetime) -> Counted:
        store = Store.connect(url, timeout_s=_PATIENCE_S)
        try:
            material = read_material(store, question.since, question.at, **part)
            return count(question, material, WorkingTime(site.hours, site.calendar), keeps=is_missed)
        finally:
            store.close()

    if cut_at is None:
        return count_part()
    earlier = forked.begin(partial(count_part, before=cut_at))
    later = count_part(after=cut_at)
    return earlier().merged_with(later)


def _give(report: Report, units: Mapping[str, str], options: argparse.Namespace) -> None:
    if options.json:
        print(as_json(report))
    elif options.csv:
        lines = miss_lines(report, units) if options.misses else order_lines(report, units)
        sys.stdout.buffer.write(as_csv(lines).encode())  # UTF-8 whatever the terminal's own
    elif options.xlsx:
        save_xlsx(report, units, options.xlsx)
        print(f"{options.xlsx}: {len(report.misses)} late or missed orders")
    else:
        print(table(report, units, len(report.misses) if options.misses else _MISSES_SHOWN))
