"""How long the report takes on 100,000 orders, and a look for what is due among 1,000,000 open ones.

`python -m benchmarks.report [ORDERS [OPEN_ORDERS]]` prints one table, for the redis-server that comes with us and, if
there is one on PATH, for that of the machine; `measure` is for the other benchmarks. The history is written by the
store's own script, event by event: a year of orders, each with its call, most with an attempt, some missed. The open
orders are a copy of one that the script wrote, with other numbers, since only keys that the look reads matter.
"""

from __future__ import annotations

import gc
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import config
from benchmarks.sweep import fill_with_open_orders, look_figures, took_s
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.fields import attempt_fields, change_fields, to_payload
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, OrderDraft, OrderKind
from callback_scheduler.reports.orders import By
from callback_scheduler.reports.reader import read_material
from callback_scheduler.reports.report import Question, make_report
from callback_scheduler.reports.rules import rule_named
from callback_scheduler.reports.table import table
from callback_scheduler.store.embedded_redis import EmbeddedRedis, redis_server_binary
from callback_scheduler.store.store import Store
from routing.clock import SHANGHAI
from routing.site import Site, load_site
from routing.working_time import WorkingTime

FIRST_NIGHT = datetime(2025, 9, 1, 18, 0, tzinfo=SHANGHAI)
NIGHTS = 365
SEEN_AT = FIRST_NIGHT + timedelta(days=NIGHTS + 1)
_UNITS = ("market", "tax", "human_resources", "planning", "construction", "environment", "commerce", "health", "fire")
_BATCH = 2000
_RUNS = 5
_AS_ASKED = (100_000, 1_000_000)  # orders, open orders


def measure(orders: int = _AS_ASKED[0], open_orders: int = _AS_ASKED[1], folder: Path | None = None) -> dict[str, Any]:
    """Return for each kind of Redis ("embedded", "system") the figures of `measure_one`."""
    binaries = {"embedded": redis_server_binary()}
    if (found := shutil.which("redis-server")) is not None:
        binaries["system"] = Path(found)
    return {kind: measure_one(binary, orders, open_orders, folder) for kind, binary in binaries.items()}


def measure_one(binary: Path, orders: int, open_orders: int, folder: Path | None = None) -> dict[str, Any]:
    """Return medians of 5 runs in a Redis of its own, which is removed.

    Keys: orders, prepare_s; how many were counted, count_s (reading and counting, one beside the other), print_s and
    report_s for their sum; command_s for the whole of
    `hotline report` as a process of its own; of both also report_cpu_s and command_cpu_s, what they take of a core,
    since others at work on the machine make the clock lie but not these; load_s for a Redis that starts with all of it
    on disk; open_orders, and of a sweep's look for the 1,000 of them that are due due_first_ms when it knows nothing
    yet, due_p50_ms, due_max_ms and due_cpu_ms (this process's share) when it has looked before.
    """
    data_dir = Path(tempfile.mkdtemp(prefix="hotline-bench-", dir=folder))
    server = EmbeddedRedis(data_dir / "redis", binary=binary)
    server.start(60.0)
    try:
        store = Store.connect(server.url, timeout_s=60.0)
        store._redis.config_set("appendfsync", "no")  # what is prepared need not survive
        prepare_s = took_s(lambda: _apply_all(store, _history(orders)))
        figures = {"orders": orders, "prepare_s": prepare_s} | _report_figures(store)
        runs = [_run_command(data_dir) for _ in range(_RUNS)]
        figures |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        server.stop()
        server = EmbeddedRedis(data_dir / "redis", binary=binary)
        figures["load_s"] = took_s(lambda: server.start(120.0))
        store._redis.config_set("appendfsync", "no")
        fill_with_open_orders(store, open_orders, SEEN_AT)
        figures |= {"open_orders": open_orders} | look_figures(store, open_orders, SEEN_AT)
        store.close()
    finally:
        server.stop()
        shutil.rmtree(data_dir)
    return figures


# -- the history ------------------------------------------------------------------------------------------------------


def _apply_all(store: Store, events: Iterator[JournalEvent]) -> None:
    position = 0
    while batch := list(islice(events, _BATCH)):
        outcomes = store.apply("bench", list(enumerate(batch, start=position + 1)))
        bad = [outcome for outcome in outcomes if outcome.status != "applied"]
        assert not bad, bad[0]
        position += len(batch)


def _history(orders: int) -> Iterator[JournalEvent]:
    chance = random.Random(20260101)
    calendar = load_site(Path(config.__file__).parent / "hotline.yaml").calendar
    for n in range(orders):
        opened_at = FIRST_NIGHT + timedelta(days=n * NIGHTS // orders, minutes=chance.randrange(600))
        draft = OrderDraft(
            call_id=f"{n:032x}",
            kind=OrderKind.AFTER_HOURS,
            opened_at=opened_at,
            caller_number="02152550000",
            callback_number=f"138{n:08d}",
            matter_id="company_registration",
            unit_id=_UNITS[n % len(_UNITS)],
            deadline=deadline(calendar, opened_at, missed_in_hours=False),
            company="上海长宁某某科技有限公司",
            key_path="1#1",
            message_path="recordings/2026/03/03/0123456789abcdef.wav",
        )
        yield from _life(draft, f"{opened_at:%y%m%d}1{n:06d}", chance)
        yield JournalEvent.new("call_ended", _call(draft, chance), opened_at)


def _life(draft: OrderDraft, order_id: str, chance: random.Random) -> Iterator[JournalEvent]:
    """Nine of ten are reached at the first try, one in thirty too late, some are tried in vain, some forgotten."""
    yield JournalEvent.new("order_opened", to_payload(draft, order_id), draft.opened_at)
    due_at = draft.deadline.due_at
    yield _changed(order_id, ("opened", "sent"), draft.opened_at, {"sent_at": draft.opened_at})
    fate = chance.random()
    if fate < 0.02:
        return
    begun_at = due_at + timedelta(minutes=chance.randrange(1, 300) if fate < 0.05 else -chance.randrange(5, 55))
    attempt = Attempt(attempt_id=f"{order_id}-a1", begun_at=begun_at, by="timetable", number=draft.callback_number)
    yield _changed(order_id, ("sent", "calling_back"), begun_at, {}, attempt)
    ended = _ended(attempt, draft, is_reached=fate < 0.95)
    state = "reached" if ended.outcome is AttemptOutcome.REACHED else "not_reached"
    changes = {"reached_at": ended.evidence.talk_began_at} if ended.evidence and state == "reached" else {}
    yield _changed(order_id, ("calling_back", state), begun_at, changes, ended)


def _ended(attempt: Attempt, draft: OrderDraft, is_reached: bool) -> Attempt:
    at = attempt.begun_at
    evidence = Evidence(
        call_id=draft.call_id,
        unit_number="6101",
        unit_answered_at=at + timedelta(seconds=6),
        accepted_at=at + timedelta(seconds=9),
        enterprise_number=draft.callback_number,
        enterprise_answered_at=at + timedelta(seconds=20) if is_reached else None,
        talk_began_at=at + timedelta(seconds=22) if is_reached else None,
        two_way_s=95.2 if is_reached else 0.0,
        recording="recordings/2026/03/04/0123456789abcdef-talk.wav",
    )
    return Attempt(
        attempt_id=attempt.attempt_id,
        begun_at=at,
        by=attempt.by,
        number=attempt.number,
        unit_number="6101",
        outcome=AttemptOutcome.REACHED if is_reached else AttemptOutcome.ENTERPRISE_NO_ANSWER,
        ended_at=at + timedelta(minutes=2),
        enterprise_rung_at=at + timedelta(seconds=10),
        evidence=evidence,
    )


def _changed(
    order_id: str, move: tuple[str, str], at: datetime, changes: dict[str, Any], attempt: Attempt | None = None
) -> JournalEvent:
    state_from, state_to = move
    payload = {
        "order_id": order_id, "event": state_to, "who": "timetable", "why": "", "state_from": state_from,
        "state_to": state_to, "is_open": state_to != "reached", "changes": change_fields(changes),
    }  # fmt: skip
    if attempt is not None:
        payload["attempt"] = attempt_fields(attempt)
    return JournalEvent.new("order_changed", payload, at)


def _call(draft: OrderDraft, chance: random.Random) -> dict[str, Any]:
    """The record of a call, a transfer in working hours or an order after them."""
    at = draft.opened_at.isoformat()
    after = (draft.opened_at + timedelta(seconds=chance.randrange(1, 30))).isoformat()
    was_open = chance.random() < 0.5
    leg = {
        "leg_id": 1, "role": "specialist", "number": "6101", "name": "登记窗口一", "sip_status": 200, "cause": "",
        "started_at": at, "answered_at": after, "accepted_at": after, "ended_at": after, "two_way_s": 61.3,
        "rx_packets": 3000, "tx_packets": 3000,
    }  # fmt: skip
    return {
        "call_id": draft.call_id, "sip_call_id": draft.call_id, "caller_number": draft.caller_number,
        "called_number": "12345", "offered_at": at, "answered_at": at, "ended_at": after, "was_open": was_open,
        "direction": "in", "steps": ["greeting", "menu", "specialist", "survey"], "key_path": "1",
        "matter_id": draft.matter_id, "unit_id": draft.unit_id, "asked_for_person_at": at if was_open else None,
        "person_answered_at": after if was_open else None, "transfer": "accepted" if was_open else "none",
        "outcome": "served" if was_open else "order", "cause": "", "two_way_s": 61.3,
        "legs": [leg | {"role": "caller", "accepted_at": None}, leg | {"role": "seat"}, leg], "recordings": [],
        "order_ids": [],
    }  # fmt: skip


# -- the figures ------------------------------------------------------------------------------------------------------


def _report_figures(store: Store) -> dict[str, Any]:
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    question = Question(SEEN_AT, rule_named("own", site.calendar), FIRST_NIGHT.date(), by=By.UNIT)
    runs = [_one_report(store, site, question) for _ in range(_RUNS)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _one_report(store: Store, site: Site, question: Question) -> dict[str, float]:
    gc.collect()
    gc.disable()  # as the command does
    began, cpu_began = time.perf_counter(), time.process_time()
    material = read_material(store, question.since, question.at)
    report = make_report(question, material, WorkingTime(site.hours, site.calendar), {})
    counted = time.perf_counter()
    table(report, {}, misses_shown=20)
    done = time.perf_counter()
    gc.enable()
    return {
        "counted": sum(row.orders for rows in report.orders.values() for row in rows.values()),
        "count_s": counted - began, "print_s": done - counted,
        "report_s": done - began, "report_cpu_s": time.process_time() - cpu_began,
    }  # fmt: skip


def _run_command(data_dir: Path) -> dict[str, float]:
    """Run the command as an operator does: against the Redis of a node that runs."""
    period = ["--from", FIRST_NIGHT.date().isoformat(), "--at", SEEN_AT.isoformat()]
    command = [sys.executable, "-m", "hotline", "report", "--data-dir", str(data_dir), *period]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = took_s(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"command_s": wall_s, "command_cpu_s": cpu_s}


def main() -> None:
    """Print the table; arguments are how many orders, and how many open ones."""
    orders, open_orders = [*map(int, sys.argv[1:]), *_AS_ASKED[len(sys.argv) - 1 :]]
    for kind, figures in measure(orders, open_orders).items():
        print(f"{kind}:")
        for name, value in figures.items():
            print(f"  {name:<12} {value:>12,.3f}" if isinstance(value, float) else f"  {name:<12} {value:>12,}")


if __name__ == "__main__":
    main()
