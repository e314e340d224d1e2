"""What people do with orders by hand: who may, what the journal tells of it, and that nobody is rung twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from callback_scheduler.errors import StaleOrder
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.ports import Note, Ports
from config.hours import HoursSettings
from config.settings import Settings
from ivr.calls.office import Office
from ivr.calls.presence import Presence
from ivr.refused import OperationRefused
from node.operations.orders import OrderOperations
from routing.hours import Hours
from tests.fakes.orders import CALENDAR, DIRECTORY, REACHED, World, an_order

SUPERVISOR, TAX, MARKET = map(Actor.read, ("supervisor:王督办", "unit:tax:李四", "unit:market:赵六"))


class Desk(World):
    """The world of the timetable, and the operations on it; it is half past eight in the morning."""

    def __init__(self, start: str = "03-04 08:30") -> None:
        super().__init__(start)
        made = self.timetable()
        self.presence = Presence()
        self.leader: Deferred[bool] = Deferred()
        self.was_noted: list[bool] = []
        ports = Ports(ring_back=self._ring_back, remind_leader=self._remind_leader, notices=self,
                      free_lines=lambda: self.free_lines)
        office = Office(Settings(), DIRECTORY, CALENDAR, Hours(HoursSettings()), self.clock)
        self.office = office
        ledger: Any = self.ledger
        callbacks: Any = SimpleNamespace(remind_leader=self._reminded)
        self.orders = OrderOperations(
            ledger, timetable=made, ports=ports, callbacks=callbacks, office=office, presence=self.presence,
            clock=self.clock, own_numbers=("12345",),
        )  # fmt: skip
        self.timetable_made = made

    async def _reminded(self, order: Order, number: str, note: Note) -> bool:
        self.reminded.append((order.order_id, number))
        has_acknowledged = await self.leader
        if has_acknowledged:
            self.was_noted.append(await note())
        return has_acknowledged

    def put(self, **changes: Any) -> Order:
        order = an_order(**changes)
        self.ledger.put(order)
        return order

    def do(self, act: str, order: Order, *args: Any, **named: Any) -> Order:
        made: Order = self.done(getattr(self.orders, act)(order.order_id, *args, **named))
        return made

    def refusal(self, act: str, order: Order, *args: Any, **named: Any) -> str:
        with pytest.raises(OperationRefused) as refused:
            self.do(act, order, *args, **named)
        assert refused.value.text.endswith("。")
        return refused.value.key

    def last_event(self) -> dict[str, Any]:
        return self.ledger.events[-1][1]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_unit_acknowledges_and_the_journal_names_who(desk: Desk) -> None:
    order = desk.do("acknowledge", desk.put(), TAX)
    assert (order.state, order.acknowledged_by) == (OrderState.ACKNOWLEDGED, str(TAX))
    assert desk.last_event()["who"] == str(TAX)


@pytest.mark.parametrize("act", ["acknowledge", "give_back", "self_report", "write_answer", "ring_back"])
def test_a_unit_does_nothing_with_the_order_of_another(desk: Desk, act: str) -> None:
    args = () if act == "acknowledge" else ("x",)
    assert desk.refusal(act, desk.put(), *args, MARKET) == "order.not_yours"
    assert not desk.ledger.events


def test_what_the_table_of_states_does_not_have_is_refused_in_chinese(desk: Desk) -> None:
    order = desk.put(state=OrderState.CLOSED)
    with pytest.raises(OperationRefused, match="工单已办结，现在不能确认。"):
        desk.do("acknowledge", order, TAX)
    assert desk.refusal("close", desk.put(state=OrderState.CALLING_BACK), "查重", SUPERVISOR) == "order.calling_back"


def test_a_change_by_somebody_else_meanwhile_is_refused_not_overwritten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stale(*_: Any, **__: Any) -> Order:
        raise StaleOrder("x")

    monkeypatch.setattr(desk.ledger, "change_order", stale)
    assert desk.refusal("acknowledge", desk.put(), TAX) == "order.changed"


def test_an_unknown_order_is_refused(desk: Desk) -> None:
    assert desk.refusal("acknowledge", an_order(), TAX) == "order.unknown"


@pytest.mark.parametrize("act", ["give_back", "self_report", "write_answer", "close", "reopen"])
def test_a_reason_is_asked_for(desk: Desk, act: str) -> None:
    assert desk.refusal(act, desk.put(), "  ", SUPERVISOR) == "order.no_text"
    assert desk.refusal(act, desk.put(), "长" * 4001, SUPERVISOR) == "order.text_too_long"


def test_a_written_answer_is_kept_with_the_order_and_moves_nothing(desk: Desk) -> None:
    order = desk.do("write_answer", desk.put(), "请携带营业执照到二楼窗口办理。", TAX)
    assert order.state is OrderState.SENT
    assert (order.written_answer, order.written_answer_by) == ("请携带营业执照到二楼窗口办理。", str(TAX))
    assert order.written_answer_at == desk.clock.now()
    assert desk.last_event()["changes"]["written_answer"] == order.written_answer


def test_passed_to_another_unit_an_order_keeps_its_deadline_and_that_unit_is_told(desk: Desk) -> None:
    before = desk.put(state=OrderState.ACKNOWLEDGED)
    order = desk.do("reassign", before, "market", "属市场监管", SUPERVISOR)
    assert (order.unit_id, order.due_at, order.state) == ("market", before.due_at, OrderState.SENT)
    assert desk.told_of("new_order") == [order.order_id]
    assert desk.refusal("reassign", order, "market", "再派", SUPERVISOR) == "order.same_unit"
    assert desk.refusal("reassign", order, "nobody", "再派", SUPERVISOR) == "unit.unknown"


def test_returned_closed_and_reopened_with_the_reason_in_the_journal(desk: Desk) -> None:
    order = desk.do("give_back", desk.put(), "不属我局职责", TAX)
    assert (order.state, order.return_reason) == (OrderState.RETURNED, "不属我局职责")
    assert desk.do("close", order, "重复件", SUPERVISOR).closed_at == desk.clock.now()
    assert desk.do("reopen", order, "企业再次反映", SUPERVISOR).state is OrderState.OPENED
    assert [event["why"] for _, event, _ in desk.ledger.events] == ["不属我局职责", "重复件", "企业再次反映"]


# -- ringing ----------------------------------------------------------------------------------------------------------


def test_a_unit_is_rung_before_its_time_when_a_supervisor_asks(desk: Desk) -> None:
    order = desk.put()
    begun = desk.do("ring_unit_now", order, SUPERVISOR)
    assert desk.rung == [("08:30", order.order_id)]
    assert (begun.state, begun.attempts[0].by) == (OrderState.CALLING_BACK, "timetable")
    assert desk.last_event()["who"] == str(SUPERVISOR)


def test_nobody_is_rung_beside_an_attempt_under_way(desk: Desk) -> None:
    order = desk.put()
    desk.do("ring_unit_now", order, SUPERVISOR)
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "order.calling_back"
    same_enterprise = desk.put(callback_number=order.callback_number)
    assert desk.refusal("ring_unit_now", same_enterprise, SUPERVISOR) == "order.taken"
    assert len(desk.rung) == 1


def test_an_order_held_by_another_node_is_not_rung(desk: Desk) -> None:
    order = desk.put()
    desk.done(desk.ledger.lease(order.order_id, 60.0))
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "order.taken"


def test_lines_kept_for_callers_are_not_taken(desk: Desk) -> None:
    desk.free_lines = 0
    order = desk.put()
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "lines.none_free"
    assert desk.refusal("ring_back", order, "6101", TAX) == "lines.none_free"
    assert desk.refusal("remind_leader", order, SUPERVISOR) == "lines.none_free"
    assert not desk.rung


def test_the_sweep_at_nine_does_not_dial_what_is_being_dialled(desk: Desk) -> None:
    order = desk.put()
    desk.plays[order.order_id] = [REACHED]
    desk.go_on_until("03-04 08:59:50")
    desk.do("ring_unit_now", order, SUPERVISOR)
    desk.sweep()
    desk.go_on_until("03-04 09:10")
    assert len(desk.rung) == 1
    assert desk.order(order).state is OrderState.REACHED


def test_a_unit_that_clicks_is_rung_at_its_own_phone(desk: Desk) -> None:
    order = desk.put()
    begun = desk.do("ring_back", order, "6101", TAX)
    assert (begun.attempts[0].by, begun.attempts[0].unit_number) == ("unit", "6101")
    assert desk.last_event()["who"] == str(TAX)


def test_a_click_rings_no_number_that_is_not_of_the_unit_or_of_who_clicks(desk: Desk) -> None:
    order = desk.put()
    assert desk.refusal("ring_back", order, "13900001111", TAX) == "number.not_of_unit"
    assert desk.refusal("ring_back", order, "12345", TAX, own_number="12345") == "number.not_of_unit"
    assert desk.refusal("ring_back", order, order.callback_number, TAX, own_number=order.callback_number)
    assert not desk.rung
    assert desk.do("ring_back", order, "13900001111", TAX, own_number="13900001111").attempts


def test_a_phone_in_a_call_is_not_rung(desk: Desk) -> None:
    order = desk.put()
    desk.presence.take("6101", desk)
    assert desk.refusal("ring_back", order, "6101", TAX) == "number.busy"
    for number in ("6102", "6103"):
        desk.presence.take(number, desk)
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "unit.busy"
    desk.presence.free("6102", desk)
    desk.presence.take(order.callback_number, desk)
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "order.enterprise_busy"


def test_a_click_before_the_deadline_that_talks_after_it_is_late_and_frozen(desk: Desk) -> None:
    order = desk.put()
    desk.plays[order.order_id] = [REACHED]
    desk.go_on_until("03-04 09:59:52")
    desk.do("ring_back", order, "6101", TAX)
    desk.go_on_until("03-04 10:05")
    reached = desk.order(order)
    assert reached.state is OrderState.REACHED
    assert reached.attempts[0].outcome is AttemptOutcome.REACHED
    assert reached.overdue_at == reached.due_at


def test_a_leader_is_rung_once_and_what_he_did_is_noted(desk: Desk) -> None:
    order = desk.put()
    desk.do("remind_leader", order, SUPERVISOR)
    assert desk.reminded == [(order.order_id, "6109")]
    assert desk.refusal("remind_leader", order, SUPERVISOR) == "number.busy"
    desk.leader.callback(True)
    desk.time.advance(0)
    assert [note["why"] for note in desk.ledger.notes(order.order_id, "leader_reminded")] == [
        "督办提醒负责人：已按键确认"
    ]
    assert desk.refusal("remind_leader", order, SUPERVISOR) == "dial.pause"
    desk.time.advance(60)
    desk.do("remind_leader", order, SUPERVISOR)
    assert len(desk.reminded) == 2


def test_a_leader_who_does_not_acknowledge_is_noted_too(desk: Desk) -> None:
    order = desk.put()
    desk.do("remind_leader", order, SUPERVISOR)
    desk.leader.callback(False)
    desk.time.advance(0)
    (note,) = desk.ledger.notes(order.order_id, "leader_reminded")
    assert note["why"] == "督办提醒负责人：未确认"


def test_whoever_rings_a_leader_learns_that_the_acknowledgement_could_not_be_kept(desk: Desk) -> None:
    order = desk.put()
    desk.do("remind_leader", order, SUPERVISOR)
    desk.ledger.is_away = True
    desk.leader.callback(True)
    desk.time.advance(0)
    assert desk.was_noted == [False]
    assert not desk.ledger.notes(order.order_id, "leader_reminded")
    desk.ledger.is_away = False
    desk.time.advance(60)
    desk.do("remind_leader", order, SUPERVISOR)
