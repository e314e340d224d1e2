"""What machines that watch the node read: /metrics, /healthz, /readyz."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callback_scheduler.errors import StoreUnavailable
from node.operations.happenings import Topic
from tests.fakes.operations import MORNING
from tests.web.api_programs import Program, key_of, told
from tests.web.api_sample import PHONE, call_records, healthy, orders_of_a_day, report_of
from tests.web.visitors import House


@pytest.fixture
def house() -> House:
    """A console of a node that can take a call, with 60 orders."""
    made = House()
    orders = orders_of_a_day(MORNING, 60)
    made.operations.orders_there = {order.order_id: order for order in orders}
    made.operations.answers["report"] = report_of(orders, date(2026, 3, 1), MORNING)
    made.operations.calls_there = call_records(MORNING, 5)
    made.operations.status_now |= healthy()
    return made


def figures(house: House) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample of /metrics by its name and the values of its labels, as Prometheus reads them."""
    answer = Program(house, ("metrics:read",), name="prometheus").get("/metrics")
    assert answer.status == 200, answer.body
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_node(house: House) -> None:
    found = figures(house)
    for name, labels, value in (
        ("hotline_calls_running", ("in",), 1), ("hotline_calls_running", ("callback",), 0),
        ("hotline_seats", ("talking",), 1), ("hotline_seats", ("ready",), 1), ("hotline_seats", ("away",), 0),
        ("hotline_lines", ("free",), 7), ("hotline_lines", ("in_use",), 1), ("hotline_lines_recycled_total", (), 3),
        ("hotline_trunk_registered", ("city",), 1), ("hotline_sip_door_events_total", ("rejected_full",), 2),
        ("hotline_journal_position", (), 12345), ("hotline_redis_up", (), 1), ("hotline_redis_events_waiting", (), 4),
        ("hotline_notices_waiting", ("city",), 3), ("hotline_notices_dead", ("city",), 1),
        ("hotline_console_viewers", (), 0), ("hotline_open", (), 1),
    ):  # fmt: skip
        assert found[name, labels] == value, (name, labels)
    by_state = sum(value for (name, _), value in found.items() if name == "hotline_orders")
    assert by_state == 60
    due = [value for (name, _), value in found.items() if name == "hotline_orders_due_today"]
    assert sum(due) == len(house.operations.answers["report"].judged)
    assert ("hotline_breaches_today", ("after_hours",)) in found


def test_a_call_that_ended_is_counted_once_as_soon_as_its_record_is_there(house: House) -> None:
    record = house.operations.calls_there.pop(0)
    house.console.metrics.hear(Topic.CALL, {"what": "ended", "call_id": record["call_id"]})
    house.console.metrics.hear(Topic.CALL, {"what": "step", "call_id": house.operations.calls_there[0]["call_id"]})
    served = ("hotline_calls_total", ("in", "served"))
    assert figures(house)[served] == 0
    house.operations.calls_there.insert(0, record)
    for _ in range(3):
        found = figures(house)
        assert found[served] == 1
    assert found["hotline_transfers_total", ("accepted",)] == 1
    assert found["hotline_answer_seconds_bucket", ("10.0",)] == 0
    assert found["hotline_answer_seconds_bucket", ("15.0",)] == 1
    assert found["hotline_answer_seconds_sum", ()] == 12


def test_a_record_that_never_comes_is_given_up(house: House) -> None:
    house.console.metrics.hear(Topic.CALL, {"what": "ended", "call_id": "lost"})
    for _ in range(10):
        figures(house)
    house.operations.calls_there.insert(0, house.operations.calls_there[0] | {"call_id": "lost"})
    assert figures(house)["hotline_calls_total", ("in", "served")] == 0


def test_no_number_and_no_name_is_in_the_figures(house: House) -> None:
    house.operations.status_now["calls"][0]["caller"] = PHONE
    answer = Program(house, ("metrics:read",), name="prometheus").get("/metrics").body.decode()
    for secret in (PHONE, "席一", "8001"):
        assert secret not in answer


def test_without_redis_the_figures_of_the_node_itself_are_told(house: House) -> None:
    house.operations.answers["report"] = StoreUnavailable("gone")
    house.operations.status_now["ledger"]["redis"]["is_up"] = False
    found = figures(house)
    assert found["hotline_redis_up", ()] == 0
    assert not [name for name, _ in found if name == "hotline_orders"]


def test_networks_that_are_named_need_no_token_and_others_do() -> None:
    house = House(metrics_from=("10.1.0.0/16",))
    house.operations.answers["report"] = report_of([], date(2026, 3, 1), MORNING)
    inside, outside = house.visitor(), house.visitor()
    inside.address = "10.1.2.3"
    assert inside.get("/metrics").status == 200
    assert key_of(outside.get("/metrics")) == (401, "error.401")
    assert inside.get("/api/v1/orders").status == 401, "the network may read figures only"


WRONG: dict[str, Any] = {
    "door.closed": {"door": {}},
    "trunks.none_registered": {"trunks": {"city": {"state": "refused"}, "old": {"state": "trying"}}},
    "lines.none": {"lines": {}},
    "lines.all_in_use": {"lines": {"total": 2, "free": 0, "in_use": 8}},
    "lines.cannot_fork": {"lines": {"total": 2, "free": 1, "is_failing": 1}},
    "timetable.behind": {"timetable": {"swept_s_ago": 61.0, "sweep_every_s": 20.0}},
    "redis.lost_orders": {
        "ledger": {"journal": {"journal_id": "j"}, "redis": {"is_up": True, "orders_lost": 1}}
    },
    "journal.closed": {"ledger": {"journal": {}, "redis": {"is_up": True}}},
    "journal.stuck": {"ledger": {"journal": {"journal_id": "j", "queued": 1001}, "redis": {"is_up": True}}},
    "journal.failing": {"ledger": {"journal": {"journal_id": "j", "failed_s_ago": 59.0}, "redis": {"is_up": True}}},
    "disk.full": {"disk": {"free_mb": 19, "least_free_mb": 20}},
    "node_number.taken": {
        "ledger": {"journal": {"journal_id": "j"}, "redis": {"is_up": True}, "node_number_taken_by": "other:/srv"}
    },
    "redis.away": {"ledger": {"journal": {"journal_id": "j", "queued": 0}, "redis": {"is_up": False}}},
    "clock": {"timetable": {"is_clock_doubted": True}},
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_node_that_cannot_take_a_call_says_why(house: House, reason: str) -> None:
    ready = house.visitor().get("/readyz")
    figures = {"swept_s_ago": None, "oldest_undialled_s": 0.0}
    assert (ready.status, told(ready)) == (200, {"is_ready": True, "reasons": []} | figures)
    house.operations.status_now |= WRONG[reason]
    answer = house.visitor().get("/readyz")
    figures["swept_s_ago"] = house.operations.status_now["timetable"].get("swept_s_ago")
    assert (answer.status, told(answer)) == (503, {"is_ready": False, "reasons": [reason]} | figures)
    assert told(house.visitor().get("/healthz")) == {"status": "ok"}


def test_an_order_that_was_never_dialled_is_told_and_takes_no_node_from_the_calls(house: House) -> None:
    house.operations.status_now["timetable"] = {"swept_s_ago": 2.5, "oldest_undialled_s": 7200.0}
    answer = house.visitor().get("/readyz")
    assert (answer.status, told(answer)["swept_s_ago"], told(answer)["oldest_undialled_s"]) == (200, 2.5, 7200.0)


@pytest.mark.parametrize("lines", [{"total": 0, "can_grow": 1}, {"total": 2, "free": 0, "in_use": 2, "can_grow": 1}])
def test_a_node_whose_lines_are_born_at_need_can_take_a_call(house: House, lines: dict[str, int]) -> None:
    house.operations.status_now["lines"] = lines
    assert house.visitor().get("/readyz").status == 200


def test_one_registered_trunk_of_several_is_enough_and_none_configured_too(house: House) -> None:
    house.operations.status_now["trunks"] = {"a": {"state": "refused"}, "b": {"state": "registered"}}
    assert house.visitor().get("/readyz").status == 200
    house.operations.status_now["trunks"] = {}
    assert house.visitor().get("/readyz").status == 200
