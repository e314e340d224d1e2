"""/metrics: the figures of this node for Prometheus; no phone number and no name of a person is in any label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector, CollectorRegistry

from callback_scheduler.errors import StoreError
from callback_scheduler.orders.verdict import OWN_RULE, Verdict
from callback_scheduler.reports.report import Question
from console.api.declared import Operation, document
from console.http.messages import Response
from console.http.routes import route
from console.people.tokens import METRICS
from console.visit import Visit
from ivr.calls.cdr import Direction
from ivr.calls.seat_states import SeatState
from node.operations.interfaces import Operations

Values = dict[tuple[str, ...], float]
_SEAT_STATES = ("ringing", "talking", *(state.value for state in SeatState))
_COUNTED_AS = ("after_hours", "missed_in_hours", "online")


@route("/metrics", scope=METRICS)
async def metrics(visit: Visit) -> Response:
    """Figures in Prometheus' text format: calls, seats, lines, orders, breaches, journal, Redis, notices, viewers."""
    operations, counters, has_redis = visit.operations, visit.console.metrics, True
    orders: Mapping[tuple[str, str], int] = {}
    today: dict[tuple[str, str], int] = {}
    try:
        await counters.catch_up(operations)
        orders = await operations.orders.counts()
        today = await _today(operations, visit.now())
    except StoreError:  # what is known without Redis is told all the same
        has_redis = False
    registry = CollectorRegistry()
    registry.register(_Figures([*_of_status(operations.status()), *_of_console(visit.console.events)]))
    if has_redis:
        registry.register(_Figures(_of_orders(orders, today)))
    text = generate_latest(counters.registry) + generate_latest(registry)
    return Response(200, text, CONTENT_TYPE_LATEST)


async def _today(operations: Operations, now: datetime) -> dict[tuple[str, str], int]:
    """Return how many of the orders due today are in each class."""
    day = now.date()
    report = await operations.report(Question(now, OWN_RULE, day, day))
    return Counter((one.facts.counted_as, one.verdict.value) for one in report.judged)


class _Figures(Collector):
    """Figures that were put together already."""

    def __init__(self, figures: Iterable[Metric]) -> None:
        self._figures = list(figures)

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._figures


def _gauge(name: str, about: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(f"hotline_{name}", about, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _counter(name: str, about: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    family = CounterMetricFamily(f"hotline_{name}", about, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _one(value: object) -> Values:
    return {(): float(value) if isinstance(value, (int, float)) else 0.0}


def _of_status(status: Mapping[str, Any]) -> Iterator[Metric]:
    running: Counter[tuple[str, ...]] = Counter((call.get("direction", "in"),) for call in status["calls"])
    directions: Values = {(one.value,): float(running[(one.value,)]) for one in Direction}
    yield _gauge("calls_running", "Calls of this moment.", directions, ("direction",))
    seats: Counter[tuple[str, ...]] = Counter((seat.get("state", ""),) for seat in status["seats"])
    yield _gauge("seats", "Seats by state.", {(one,): float(seats[one,]) for one in _SEAT_STATES}, ("state",))
    yield _gauge("open", "1 while the line is open.", _one(status["opening"]["is_open"]))
    yield from _of_lines(status["lines"], status["door"], status["trunks"])
    yield from _of_ledger(status["ledger"])
    yield from _of_notices(status["notices"])
    disk = status.get("disk", {})
    yield _gauge("disk_free_megabytes", "Room for journal and recordings.", _one(disk.get("free_mb", 0)))
    timetable = status["timetable"]
    yield _gauge("sweep_age_seconds", "Since the last whole sweep over the orders.",
                 _one(timetable.get("swept_s_ago") or 0))  # fmt: skip
    yield _gauge("oldest_undialled_seconds", "For how long the oldest order that is due has waited for its first try.",
                 _one(timetable.get("oldest_undialled_s", 0)))  # fmt: skip
    doubted = status["timetable"].get("is_clock_doubted", False)
    yield _gauge("clock_doubted", "1 while the clock has jumped, and nothing is frozen on its word.", _one(doubted))


def _of_lines(lines: Mapping[str, Any], door: Mapping[str, Any], trunks: Mapping[str, Any]) -> Iterator[Metric]:
    counts: Values = {(name,): float(lines.get(name, 0)) for name in ("free", "in_use")}
    yield _gauge("lines", "Conversations that lines have room for, free or in use.", counts, ("state",))
    yield _gauge("line_processes", "Line processes that live.", _one(lines.get("total", 0)))
    yield _gauge("callers_waiting_for_line", "Callers who wait for a line.", _one(lines.get("waiting", 0)))
    yield _counter("lines_died", "Line processes that died under calls or idle.", _one(lines.get("died", 0)))
    yield _counter("lines_recycled", "Line processes replaced in good time.", _one(lines.get("recycled", 0)))
    yield _counter("lines_not_born", "Line processes that could not be forked or never came up.",
                   _one(lines.get("births_failed", 0)))  # fmt: skip
    yield _gauge("lines_failing", "1 while no line comes up.", _one(lines.get("is_failing", 0)))
    events: Values = {(str(name),): float(count) for name, count in door.get("counters", {}).items()}
    yield _counter("sip_door_events", "What the SIP door counted, such as rejected_full.", events, ("event",))
    up: Values = {(str(name),): float(one.get("state") == "registered") for name, one in dict(trunks).items()}
    yield _gauge("trunk_registered", "1 while a trunk knows where we are.", up, ("trunk",))


def _of_ledger(ledger: Mapping[str, Any]) -> Iterator[Metric]:
    journal, redis = ledger.get("journal", {}), ledger.get("redis", {})
    yield _gauge("journal_queued", "Events that wait for the disk.", _one(journal.get("queued", 0)))
    yield _gauge("journal_position", "Position of the last event on disk.", _one(journal.get("position", 0)))
    yield _gauge("journal_failing", "1 from when the disk refused an event until it takes one.",
                 _one(journal.get("failed_s_ago") is not None))  # fmt: skip
    yield _gauge("redis_up", "1 while Redis answers.", _one(redis.get("is_up", False)))
    yield _gauge("redis_orders_lost", "Orders of the journal that were found missing in Redis.",
                 _one(redis.get("orders_lost", 0)))  # fmt: skip
    yield _gauge("redis_may_evict", "1 while Redis would drop orders when its memory is full.",
                 _one(redis.get("may_evict", False)))  # fmt: skip
    yield _gauge("redis_events_waiting", "Events on disk that are not in Redis yet.",
                 _one(ledger.get("events_waiting", 0)))  # fmt: skip
    yield _counter("redis_rebuilds", "How often Redis was built anew from the journal.",
                   _one(redis.get("rebuilds", 0)))  # fmt: skip


def _of_notices(notices: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    by_receiver = {str(one.get("receiver", "")): one for one in notices}
    for name, key, about in (
        ("notices_waiting", "waiting", "Notices that a receiver has not been told yet."),
        ("notices_dead", "dead_letters", "Notices that a receiver refused."),
        ("notices_closed", "is_closed", "1 while a receiver lets us in no more (HTTP 401, 403, 404, 410 …)."),
        ("notices_failures_in_a_row", "failures_in_a_row", "Failed deliveries since the last that arrived."),
    ):
        values: Values = {(receiver,): float(one.get(key, 0)) for receiver, one in by_receiver.items()}
        yield _gauge(name, about, values, ("receiver",))


def _of_orders(orders: Mapping[tuple[str, str], int], today: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    by_unit: Values = {place: float(count) for place, count in orders.items()}
    yield _gauge("orders", "Orders by unit and state.", by_unit, ("unit", "state"))
    counts: Values = {
        (counted_as, verdict.value): float(today.get((counted_as, verdict.value), 0))
        for counted_as in _COUNTED_AS for verdict in Verdict if verdict is not Verdict.MERGED
    }  # fmt: skip
    yield _gauge("orders_due_today", "Orders due today, by class.", counts, ("counted_as", "verdict"))
    breached = (Verdict.LATE.value, Verdict.MISSED.value)
    breaches: Values = {(one,): float(sum(today.get((one, verdict), 0) for verdict in breached)) for one in _COUNTED_AS}
    yield _gauge("breaches_today", "Orders due today that are late or missed.", breaches, ("counted_as",))


def _of_console(events: Any) -> Iterator[Metric]:
    yield _gauge("console_viewers", "Pages that listen for events.", _one(events.viewers))
    yield _counter("console_viewers_dropped", "Pages that were too slow, and dropped.", _one(events.dropped))


document(
    metrics,
    Operation(
        "metrics", "Figures for Prometheus", (metrics.__doc__ or "").strip(), "watching", None,
        answers_with=CONTENT_TYPE_LATEST,
    ),
)  # fmt: skip
