"""SIPp's callers are served by the running service: greeted, led by keys, recorded once each, forty at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sip.house import FAST_SPEECH, QUICK, SPECIALIST_TONE, TUESDAY_MORNING, House, until
from tests.sip.services import SAMPLE, start_service
from tests.sip.sipp import Sipp, SippResult

pytestmark = [pytest.mark.sip, pytest.mark.sipp]
CALLS_AT_ONCE = 40


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    """A service with six lines, where no specialist is at his desk."""
    return open_house(lines={"count": 6, "spare": 4})


def call_of(house: House, result: SippResult) -> dict[str, Any]:
    """Return the record of the one call that SIPp made last."""
    assert (result.successful, result.failed) == (1, 0), result.errors
    house.service.wait_idle()
    call: dict[str, Any] = house.service.ask("calls", limit=1)[0]
    assert house.ends_logged(str(call["call_id"])) == 1
    return call


def test_sipps_stock_callers_are_answered_and_each_leaves_one_record(house: House, sipp: Sipp) -> None:
    before = {call["call_id"] for call in house.service.ask("calls", limit=100)}
    result = sipp.run(house.service.sip_port, "uac", calls=6, per_second=5, at_once=3, call_ms=600)
    assert (result.successful, result.failed) == (6, 0), result.errors
    house.service.wait_idle()
    calls = [call for call in house.service.ask("calls", limit=100) if call["call_id"] not in before]
    assert len(calls) == 6
    assert [house.ends_logged(call["call_id"]) for call in calls] == [1] * 6
    assert {(call["outcome"], call["called_number"]) for call in calls} == {("abandoned", "12345")}
    assert all(call["legs"][0]["cause"].startswith("remote 200") for call in calls), calls


def test_a_key_by_rfc_4733_chooses_the_matter(house: House, sipp_with_captures: Sipp) -> None:
    port = house.service.sip_port
    call = call_of(house, sipp_with_captures.run(port, "keys_rfc4733", call_ms=4000, keys="4"))
    assert (call["key_path"], call["matter_id"], call["unit_id"]) == ("4", "food_license", "market"), call


def test_a_key_by_sip_info_chooses_the_matter(house: House, sipp: Sipp) -> None:
    call = call_of(house, sipp.run(house.service.sip_port, "keys_info", call_ms=500))
    assert (call["key_path"], call["matter_id"], call["unit_id"]) == ("1", "company_registration", "market")


def test_a_caller_over_tcp_is_served(house: House, sipp: Sipp) -> None:
    caller = ("13900000001", "2")
    call = call_of(house, sipp.run(house.service.sip_port, "caller", callers=[caller], transport="t1", call_ms=1500))
    assert (call["caller_number"], call["key_path"], call["matter_id"]) == ("13900000001", "2", "tax")
    assert house.service.ask("status")["door"]["counters"]["failed"] == 0


def test_a_caller_who_suppresses_silence_talks_on_and_one_who_sends_nothing_at_all_has_left(
    open_house: Callable[..., House], sipp_with_captures: Sipp
) -> None:
    house = open_house(lines={"count": 3, "spare": 1}, phone={"no_sound_s": 5})
    specialist = house.desk_phone("6101", SPECIALIST_TONE)
    specialist.auto_answer(0.2, then_press="1", press_after_s=0.5)
    call = call_of(house, sipp_with_captures.run(
        house.service.sip_port, "suppresses_silence", keys="4", noise_s=20, timeout_s=90
    ))  # fmt: skip
    (caller,) = (leg for leg in call["legs"] if leg["role"] == "caller")
    assert caller["cause"] == "no sound"
    lasted = datetime.fromisoformat(caller["ended_at"]) - datetime.fromisoformat(caller["answered_at"])
    assert 20 <= lasted.total_seconds() < 60
    assert call["transfer"] == "accepted"
    assert call["two_way_s"] > 10  # who listens takes part


@pytest.mark.works_hard
def test_forty_callers_at_once_each_talk_with_a_specialist(sipp: Sipp, tmp_path: Path) -> None:
    callers = [(f"139{place:08d}", "4") for place in range(CALLS_AT_ONCE)]
    (tmp_path / "service").mkdir()
    with sipp.trunk() as trunk, ThreadPoolExecutor(1) as thread, start_service(
        tmp_path / "service", trunk.port, TUESDAY_MORNING,
        {
            "prompts": FAST_SPEECH,
            "phone": QUICK | {"next_tier_after_s": 10, "ring_all_s": 500},
            "lines": {"count": CALLS_AT_ONCE + 5, "spare": 12},  # one in ten is kept for callbacks
            "directory_file": str(_a_specialist_for_each(tmp_path / "units.yaml")),
        },
    ) as service:
        calling = thread.submit(
            sipp.run, service.sip_port, "caller", callers=callers, calls=CALLS_AT_ONCE, per_second=8, call_ms=22_000,
        )
        until("forty calls at once", lambda: service.ask("status")["lines"]["in_use"] == CALLS_AT_ONCE, 30)
        result = calling.result(90)
        assert (result.successful, result.failed) == (CALLS_AT_ONCE, 0), result.errors
        service.wait_idle(30)
        calls = service.ask("calls", limit=100)
    assert sorted(call["caller_number"] for call in calls) == sorted(number for number, _ in callers)
    assert {call["transfer"] for call in calls} == {"accepted"}
    talks = [[leg for leg in call["legs"] if leg["accepted_at"]] for call in calls]
    assert [len(legs) for legs in talks] == [1] * CALLS_AT_ONCE
    assert len({legs[0]["number"] for legs in talks}) == CALLS_AT_ONCE, "a specialist was given two callers"
    both_ways = [min(call["two_way_s"], legs[0]["two_way_s"]) for call, legs in zip(calls, talks, strict=True)]
    assert min(both_ways) > 1.0, sorted(both_ways)


def _a_specialist_for_each(path: Path) -> Path:
    """Write the sample's units, with a tier of one for each caller in the market unit; a busy one is passed over."""
    units = yaml.safe_load((SAMPLE.parent / "units.yaml").read_text(encoding="utf-8"))
    units["units"]["market"]["tiers"] = [
        {"specialists": {f"desk_{place}": {"name": f"窗口{place}", "number": str(7000 + place)}}}
        for place in range(CALLS_AT_ONCE + 4)
    ]
    path.write_text(yaml.safe_dump(units, allow_unicode=True), encoding="utf-8")
    return path
