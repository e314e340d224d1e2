"""Redis is away under calls: nobody is refused, and every order is applied exactly once when it is back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from ivr.line.messages import LegEnded
from tests.sip.house import TUESDAY_EVENING, House, until
from tests.sip.sipp import Sipp, SippResult

pytestmark = [pytest.mark.sip, pytest.mark.sipp]
OUTAGE_S = 30.0


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    return open_house(TUESDAY_EVENING, lines={"count": 14, "spare": 6})


def redis(house: House) -> dict[str, Any]:
    found: dict[str, Any] = house.service.ask("status")["ledger"]["redis"]
    return found


def opened_in(house: House, call_id: str) -> list[dict[str, Any]]:
    """Return the orders that were opened in a call, as the log tells."""
    return [event for event in house.service.events("order_opened") if event["call_id"] == call_id]


@contextmanager
def callers_of(house: House, sipp: Sipp, numbers: list[str]) -> Iterator[Future[SippResult]]:
    """Let these numbers call one after the other, one a second; each chooses tax and hangs up half way."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(
            sipp.run, house.service.sip_port, "caller", callers=[(number, "2") for number in numbers],
            calls=len(numbers), per_second=1, call_ms=1500, timeout_s=120,
        )


def has_an_order_each(house: House, numbers: list[str]) -> None:
    """See that each of the numbers has exactly one order and one call record."""
    until("everything applied", lambda: house.service.ask("status")["ledger"]["events_waiting"] == 0, 30)
    house.service.wait_idle(30)
    orders = house.service.ask("orders", limit=500)
    assert sorted(o["callback_number"] for o in orders if o["callback_number"] in numbers) == sorted(numbers)
    ours = [order for order in orders if order["callback_number"] in numbers]
    assert all(order["merged_calls"] == [] for order in ours), "an event was applied twice"
    ended = [call for call in house.service.ask("calls", limit=500) if call.get("caller_number") in numbers]
    assert sorted(call["caller_number"] for call in ended) == sorted(numbers)
    assert sorted(i for call in ended for i in call["order_ids"]) == sorted(order["order_id"] for order in ours)


def test_redis_stopped_for_thirty_seconds_refuses_nobody_and_loses_nothing(house: House, sipp: Sipp) -> None:
    """SIGSTOP is the worse half: connections stay open and nothing answers. A whole order is given meanwhile."""
    numbers = [f"137{place:08d}" for place in range(int(OUTAGE_S))]
    frozen = psutil.Process(redis(house)["pid"])
    frozen.suspend()
    try:
        until_s = time.monotonic() + OUTAGE_S
        with callers_of(house, sipp, numbers) as calling:
            caller = house.caller()
            house.ring_up(caller, "3")
            house.wait_step(caller, "number")
            caller.press("1")
            house.wait_recording(caller)
            call_id = house.running(caller)["call_id"]  # type: ignore[index]
            caller.press("#")
            caller.press("1")
            until("an order number without Redis", lambda: opened_in(house, call_id))
            waiting = house.service.ask("status")["ledger"]["events_waiting"]
            result = calling.result()
            time.sleep(max(0.0, until_s - time.monotonic()))
        assert waiting > 0, "Redis was not away"
    finally:
        frozen.resume()
    assert (result.successful, result.failed) == (len(numbers), 0), result.errors
    caller.wait_ended(30)
    has_an_order_each(house, [*numbers, caller.number])


def _runs_again(status: dict[str, Any], starts: int) -> bool:
    return status["starts"] > starts and status["pid"] is not None and psutil.pid_exists(status["pid"])


def test_redis_killed_again_and_again_refuses_nobody_and_loses_nothing(house: House, sipp: Sipp) -> None:
    numbers = [f"136{place:08d}" for place in range(10)]
    starts = redis(house)["starts"]
    caller = house.caller()
    house.ring_up(caller)  # somebody who is in a call all the time
    with callers_of(house, sipp, numbers) as calling:
        killed = set()
        while not calling.done():
            pid = redis(house)["pid"]
            if pid and pid not in killed and psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.5)
    result = calling.result()
    assert (result.successful, result.failed) == (len(numbers), 0), result.errors
    assert len(killed) >= 5
    assert not caller.events(LegEnded), "the caller was cut off"
    caller.hangup()
    until("a Redis that answers", lambda: _runs_again(redis(house), starts))
    has_an_order_each(house, [*numbers, caller.number])
