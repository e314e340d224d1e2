"""The calls behind the figures of calls: as many as the figure counts, each with whom it rang, and nobody's number."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from callback_scheduler.orders.call_facts import call_facts
from callback_scheduler.reports.calls import CallTally
from console.people.roles import Role
from console.supervisor import call_list
from console.supervisor.call_list import WHICH
from tests.web.supervised import NOW, Supervised
from tests.web.visitors import Visitor, text


def record(number: int, at: datetime, transfer: str = "accepted", **more: Any) -> dict[str, Any]:
    """Return the record of a call; a specialist who accepted talked for a minute."""

    def seconds(count: float) -> str:
        return (at + timedelta(seconds=count)).isoformat()

    talked_s = 60.0 if transfer == "accepted" else 0.0
    legs = [
        {"role": "caller", "number": f"138{number:08}", "name": "", "started_at": seconds(0), "two_way_s": 90.0},
        {"role": "specialist", "number": "6111", "name": "纳税服务一", "started_at": seconds(10), "sip_status": 480,
         "answered_at": seconds(18) if talked_s else None, "accepted_at": seconds(20) if talked_s else None,
         "ended_at": seconds(80) if talked_s else seconds(30), "two_way_s": talked_s},
    ]  # fmt: skip
    return {
        "call_id": f"c{number}", "direction": "in", "offered_at": seconds(0), "ended_at": seconds(90),
        "caller_number": f"138{number:08}", "matter_id": "tax", "unit_id": "tax", "was_open": True,
        "asked_for_person_at": seconds(5), "person_answered_at": seconds(9), "transfer": transfer, "outcome": "served",
        "legs": legs, "order_ids": [],
    } | more  # fmt: skip


@pytest.fixture
def house() -> Supervised:
    """A morning with every kind of call, the day before, and a call that goes on."""
    made = Supervised()
    ago = [NOW - timedelta(minutes=minute) for minute in range(60)]
    alone: dict[str, Any] = {"transfer": "none", "person_answered_at": None}
    made.operations.calls_there = [
        {"call_id": "c9", "offered_at": ago[0].isoformat(), "caller_number": "13800000009"},
        record(1, ago[1]),
        record(2, ago[2], "nobody", order_ids=["26031010001"]),
        record(3, ago[3], "abandoned", unit_id="market"),
        record(4, ago[4], **alone, outcome="abandoned"),
        record(5, ago[5], **alone, outcome="abandoned", ended_at=(ago[5] + timedelta(seconds=3)).isoformat()),
        record(6, ago[6], **alone, direction="callback"),
        record(7, NOW - timedelta(days=1), "nobody"),
    ]
    return made


@pytest.fixture
def supervisor(house: Supervised) -> Visitor:
    return house.visitor(Role.SUPERVISOR)


def listed(page: str) -> list[str]:
    """Return the numbers that stand in the rows, masked."""
    return re.findall(r'<td class="nowrap desk">(138\*{4}\d{4})</td>', page)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", ["0002", "0003"]),
        ("which=transfers", ["0001", "0002", "0003"]),
        ("which=unanswered", ["0004"]),
        ("unit=market", ["0003"]),
        ("period=chosen&since=2026-03-01&until=2026-03-09", ["0007"]),
    ],
)
def test_the_calls_behind_a_figure_are_listed_newest_first(supervisor: Visitor, query: str, numbers: list[str]) -> None:
    page = text(supervisor.get(f"/calls?{query}"))
    assert [number[-4:] for number in listed(page)] == numbers
    assert f"共{len(numbers)}通" in page


def test_a_list_has_as_many_calls_as_its_figure_counts(house: Supervised, supervisor: Visitor) -> None:
    tally = CallTally()
    for call in house.operations.calls_there[1:7]:
        tally.add_call(call_facts(call))
    counted = {
        "failed": tally.transfers - tally.transfers_connected, "transfers": tally.transfers,
        "unanswered": tally.offered - tally.answered - tally.hung_up_early,
    }  # fmt: skip
    assert counted == {which: len(listed(text(supervisor.get(f"/calls?which={which}")))) for which in WHICH}


def test_each_call_says_whom_it_rang_what_came_of_it_and_leads_to_its_order(supervisor: Visitor) -> None:
    page = text(supervisor.get("/calls"))
    assert "单位 纳税服务一：未接听 (20 s)" in page
    assert "SIP 480" in page
    assert 'href="/orders/26031010001"' in page
    assert "13800000002" not in page
    assert "双方通话1分钟" in text(supervisor.get("/calls?which=transfers"))


def test_the_figures_of_the_first_page_lead_there(house: Supervised, supervisor: Visitor) -> None:
    house.call_facts = [call_facts(call) for call in house.operations.calls_there[1:7]]
    page = text(supervisor.get("/compliance"))
    for address in re.findall(r'href="(/calls\?[^"]+)"', page):
        assert supervisor.get(address.replace("&amp;", "&")).status == 200
    assert re.findall(r'href="/calls\?[^"]*which=(\w+)', page) == ["failed", "transfers", "failed"]


def test_a_long_period_is_searched_to_a_limit_and_says_so(
    house: Supervised, supervisor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.operations.calls_there = [record(n, NOW - timedelta(minutes=n), "nobody") for n in range(120)]
    monkeypatch.setattr(call_list, "_CHUNK", 20)
    page = text(supervisor.get("/calls?period=week"))
    assert "共120通" in page
    assert "第1页，共3页" in page
    assert len(listed(text(supervisor.get("/calls?period=week&page=3")))) == 20
    monkeypatch.setattr(call_list, "SEARCHED_AT_MOST", 60)
    assert "只查找了其中最近的" in text(supervisor.get("/calls?period=week"))
    assert "共60通" in text(supervisor.get("/calls?period=week"))


@pytest.mark.parametrize("query", ["which=secrets", "page=0", "page=x", "unit=nowhere", "period=ever"])
def test_a_wrong_address_is_refused(supervisor: Visitor, query: str) -> None:
    assert supervisor.get(f"/calls?{query}").status == 400


def test_a_morning_without_failures_says_so(house: Supervised, supervisor: Visitor) -> None:
    house.operations.calls_there = []
    assert "这段时间没有这样的来电" in text(supervisor.get("/calls"))
