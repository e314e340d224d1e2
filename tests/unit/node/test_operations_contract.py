"""The fake operations of the console's tests are the real ones in small: same verbs, same answers, same refusals."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from ivr.refused import OperationRefused
from node.operations import interfaces
from node.operations.call_view import CallView
from node.operations.calls import CallOperations
from node.operations.follow_ups import FollowUps
from node.operations.happenings import HappeningsFeed, Topic
from node.operations.number_check import NumberCheck
from node.operations.online import OnlineOperations
from node.operations.operations import NodeOperations
from node.operations.orders import OrderOperations
from node.operations.seats import SeatOperations
from node.operations.site import interfaces as site_interfaces
from node.operations.site.calendar import CalendarOperations
from node.operations.site.changes import SiteChanges
from node.operations.site.directory import DirectoryOperations
from node.operations.site.hours import HoursOperations
from node.operations.site.prompts import PromptOperations
from node.operations.site.rehearsal import RehearsalOperations
from node.operations.supervision import SupervisionOperations
from tests.fakes import operations as fakes
from tests.fakes import site_operations as site_fakes
from tests.fakes.operations import FakeOperations
from tests.fakes.orders import an_order, moment
from tests.unit.node.test_operations_orders import SUPERVISOR, Desk

# the promise, the real class, the fake, and what only the node itself asks of the real one
PARTS: list[tuple[type, type, type, set[str]]] = [
    (interfaces.Operations, NodeOperations, FakeOperations, {"start", "stop", "on_lines_changed", "on_event"}),
    (interfaces.Orders, OrderOperations, fakes.FakeOrders, {"stop"}),
    (interfaces.Online, OnlineOperations, fakes.FakeOnline, {"on_event", "stop"}),
    (interfaces.Calls, CallOperations, fakes.FakeCalls, set()),
    (interfaces.CallView, CallView, fakes.FakeCallView, {"call_in_hand"}),
    (interfaces.Seats, SeatOperations, fakes.FakeSeats, {"start", "stop", "call_of"}),
    (interfaces.Supervision, SupervisionOperations, fakes.FakeSupervision, set()),
    (interfaces.FollowUps, FollowUps, fakes.FakeFollowUps, set()),
    (interfaces.NumberChecks, NumberCheck, fakes.FakeNumberCheck, set()),
    (site_interfaces.SiteChanges, SiteChanges, site_fakes.FakeChanges, {"change", "take_back", "last", "sweep_trials"}),
    (site_interfaces.SiteCalendar, CalendarOperations, site_fakes.FakeCalendar, set()),
    (site_interfaces.SiteHours, HoursOperations, site_fakes.FakeHours, set()),
    (site_interfaces.SiteDirectory, DirectoryOperations, site_fakes.FakeDirectory, set()),
    (site_interfaces.SitePrompts, PromptOperations, site_fakes.FakePrompts, set()),
    (site_interfaces.SiteRehearsal, RehearsalOperations, site_fakes.FakeRehearsal, set()),
]
OF_TESTS = {"tell", "noted"}  # how a test lets something happen, and what was asked for


def _verbs(part: type) -> dict[str, tuple[inspect.Signature, bool]]:
    """Return the signature of every public verb, and whether it is a coroutine."""
    return {
        name: (inspect.signature(verb), inspect.iscoroutinefunction(verb))
        for name, verb in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("promise", "real", "fake", "for_the_node"), PARTS)
def test_promise_node_and_fake_have_the_same_verbs_with_the_same_signatures(
    promise: type, real: type, fake: type, for_the_node: set[str]
) -> None:
    promised = _verbs(promise)
    assert promised or promise is site_interfaces.Site
    assert {name: verb for name, verb in _verbs(real).items() if name not in for_the_node} == promised
    assert {name: verb for name, verb in _verbs(fake).items() if name not in OF_TESTS} == promised


def test_no_part_is_left_out_of_this_comparison() -> None:
    rooms = (interfaces, site_interfaces)
    promises = {each for room in rooms for _, each in inspect.getmembers(room, inspect.isclass) if each is not Protocol}
    promises = {each for each in promises if getattr(each, "_is_protocol", False)} - {site_interfaces.Site}
    assert promises == {promise for promise, *_ in PARTS}


# -- the same of both -------------------------------------------------------------------------------------------------


class Both:
    """Operations on orders, real or fake, with the orders a test puts there."""

    def __init__(self, is_real: bool) -> None:
        self._desk, self._whole = Desk(), FakeOperations(moment("03-04 08:30"))
        self._is_real = is_real
        self.orders: interfaces.Orders = self._desk.orders if is_real else self._whole.orders

    def put(self, **changes: Any) -> Order:
        order = an_order(**changes)
        if self._is_real:
            self._desk.ledger.put(order)
        else:
            self._whole.orders_there[order.order_id] = order
        return order

    def ask(self, asked: Any) -> Any:
        return self._desk.done(asked)


@pytest.fixture(params=[True, False], ids=["real", "fake"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def test_an_order_is_read_by_its_number_and_an_unknown_one_is_none(both: Both) -> None:
    order = both.put()
    assert both.ask(both.orders.one(order.order_id)).order_id == order.order_id
    assert both.ask(both.orders.one("26030319999")) is None


def test_what_is_owed_comes_by_deadline_and_nothing_that_is_settled(both: Both) -> None:
    later = both.put(order_id="26030310002", opened_at="03-04 20:00")
    sooner = both.put(order_id="26030310003", opened_at="03-03 20:00")
    both.put(order_id="26030310004", state=OrderState.CLOSED)
    assert [order.order_id for order in both.ask(both.orders.owed())] == [sooner.order_id, later.order_id]
    assert [order.order_id for order in both.ask(both.orders.owed(1))] == [sooner.order_id]
    due = both.ask(both.orders.due_before(sooner.due_at))
    assert [order.order_id for order in due] == [sooner.order_id]


ACTS: dict[str, Callable[[interfaces.Orders, str], Any]] = {
    "acknowledge": lambda orders, order_id: orders.acknowledge(order_id, SUPERVISOR),
    "give_back": lambda orders, order_id: orders.give_back(order_id, "非本单位", SUPERVISOR),
    "self_report": lambda orders, order_id: orders.self_report(order_id, "已回电", SUPERVISOR),
    "write_answer": lambda orders, order_id: orders.write_answer(order_id, "答复", SUPERVISOR),
    "set_number": lambda orders, order_id: orders.set_number(order_id, "+862162345678", "名片", SUPERVISOR),
    "close": lambda orders, order_id: orders.close(order_id, "已办结", SUPERVISOR),
    "reassign": lambda orders, order_id: orders.reassign(order_id, "market", "职责", SUPERVISOR),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_answers_with_the_order_and_refuses_an_unknown_one_by_the_same_key(both: Both, act: str) -> None:
    order = both.put(state=OrderState.SENT)
    assert both.ask(ACTS[act](both.orders, order.order_id)).order_id == order.order_id
    with pytest.raises(OperationRefused) as refused:
        both.ask(ACTS[act](both.orders, "26030319999"))
    assert (refused.value.key, refused.value.text) == ("order.unknown", "没有工单26030319999。")


@pytest.mark.parametrize("act", ["ring_back", "ring_unit_now", "remind_leader", "reopen"])
def test_ringing_and_opening_anew_refuse_an_unknown_order_by_the_same_key(both: Both, act: str) -> None:
    arguments = {"ring_back": ("13800000000", SUPERVISOR), "reopen": ("误结", SUPERVISOR)}.get(act, (SUPERVISOR,))
    with pytest.raises(OperationRefused) as refused:
        both.ask(getattr(both.orders, act)("26030319999", *arguments))
    assert refused.value.key == "order.unknown"


def _recording_of(is_real: bool, folder: Path) -> Callable[[str], Path]:
    if not is_real:
        return FakeOperations().recording
    real = NodeOperations.__new__(NodeOperations)  # nothing but the folder is asked for
    real._recordings = folder
    return real.recording


@pytest.mark.parametrize("is_real", [True, False], ids=["real", "fake"])
def test_a_recording_that_is_gone_is_refused_by_the_same_key(is_real: bool, tmp_path: Path) -> None:
    with pytest.raises(OperationRefused) as refused:
        _recording_of(is_real, tmp_path)("2026/03/04/a-talk.wav")
    assert (refused.value.key, refused.value.text) == ("recording.gone", "录音已不存在。")


@pytest.mark.parametrize("source", [HappeningsFeed(), FakeOperations()], ids=["real", "fake"])
def test_a_listener_hears_until_it_leaves_and_may_leave_twice(source: Any) -> None:
    heard: list[str] = []
    leave = source.subscribe(lambda topic, fields: heard.append(topic.value))
    tell = source.tell if isinstance(source, FakeOperations) else lambda kind: source.tell(Topic(kind), {})
    tell("lines")
    leave()
    leave()
    tell("lines")
    assert heard == ["lines"]
