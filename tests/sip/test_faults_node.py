"""The node is killed with kill -9 in mid-order: after a restart on the same data no order is lost and none doubled."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from demo.phone import Phone
from demo.tones import read_samples
from tests.sip.house import TUESDAY_EVENING, House, until

pytestmark = pytest.mark.sip


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    return open_house(TUESDAY_EVENING, lines={"count": 4, "spare": 2})


def to_the_menu(house: House, caller: Phone) -> None:
    house.ring_up(caller, "9")  # no choice, but the end of the greeting
    house.wait_step(caller, "menu")


def to_his_number(house: House, caller: Phone) -> None:
    house.ring_up(caller, "2")
    house.wait_step(caller, "number")


def to_his_message(house: House, caller: Phone) -> None:
    to_his_number(house, caller)
    caller.press("1")
    house.wait_recording(caller)
    time.sleep(2.0)


def to_his_order_number(house: House, caller: Phone) -> None:
    to_his_message(house, caller)
    caller.press("#")
    time.sleep(0.7)
    caller.press("1")
    # as early as can be seen from outside: the number is on disk, and not a word of it spoken
    until("an order in the log", lambda: [e for e in house.service.events("order_opened") if _is_of(house, e, caller)])


def _is_of(house: House, event: dict[str, object], caller: Phone) -> bool:
    running = house.running(caller)
    return running is not None and running["call_id"] == event["call_id"]


def processes_below(house: House) -> list[psutil.Process]:
    """Return everything the node has started: warm parent, lines, Redis, speech worker."""
    return psutil.Process(house.service.pid).children(recursive=True)


@pytest.mark.parametrize(
    ("moment", "matter_id"),
    [(to_the_menu, "general"), (to_his_number, "tax"), (to_his_message, "tax"), (to_his_order_number, "tax")],
)
def test_a_node_killed_in_mid_order_loses_nothing_and_doubles_nothing(
    house: House, moment: Callable[[House, Phone], None], matter_id: str
) -> None:
    known = {order["order_id"] for order in house.service.ask("orders", limit=100)}
    caller = house.caller()
    moment(house, caller)
    call_id = house.running(caller)["call_id"]  # type: ignore[index]
    below = processes_below(house)
    assert len(below) >= 4
    house.service.kill()
    _, left = psutil.wait_procs(below, timeout=5)
    # whoever inherits the children of the dead takes their bodies away when it pleases
    alive = [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not alive, "these outlived their node"
    caller.kill()  # he hears nothing more, and puts the phone down

    for turn in range(2 if moment is to_his_message else 1):  # a second restart finds nothing left to do
        if turn:
            house.service.stop()
        house.service.start_again(TUESDAY_EVENING)
        record = house.record(caller)
        assert (record["call_id"], record["outcome"], record["cause"]) == (call_id, "line_lost", "the node died")
        order = house.order(caller)
        assert record["order_ids"] == [order["order_id"]]
        assert (order["matter_id"], order["callback_number"]) == (matter_id, caller.number)
        assert order["due_at"].startswith("2026-03-11T10:00")
        assert house.ends_logged(call_id) == 1
        assert {each["order_id"] for each in house.service.ask("orders", limit=100)} == known | {order["order_id"]}
    if moment is to_his_message:
        assert len(read_samples(Path(order["message_path"]))) / 8000 > 0.3


def test_after_all_that_the_next_caller_is_served_and_gets_a_new_number(house: House) -> None:
    known = {order["order_id"] for order in house.service.ask("orders", limit=100)}
    caller = house.caller()
    to_his_order_number(house, caller)
    caller.hangup()
    house.service.wait_idle()
    assert house.order(caller)["order_id"] not in known
    assert house.record(caller)["outcome"] == "order"
