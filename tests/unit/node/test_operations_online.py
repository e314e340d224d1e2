"""The hand-over from the online assistant: an order in any case, a call at once in hours, a response measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import MergedCall, OpenedOrder, OrderKind
from callback_scheduler.orders.states import OrderState
from callback_scheduler.store.store import EventOutcome
from ivr.calls.request import Request
from ivr.refused import OperationRefused
from node.operations.online import OnlineOperations, online_since
from routing.clock import SHANGHAI
from tests.unit.node.test_operations_orders import TAX, Desk

CHAT = Actor.read("online:chat-7")
NUMBER = "13800138000"


class Chat(Desk):
    """The operations for chats; `is_open` says whether it is office hours."""

    def __init__(self) -> None:
        super().__init__("03-04 09:30")
        self.is_open = True
        self.requests: list[tuple[Request, OrderKind]] = []
        promises: Any = SimpleNamespace(
            allowed=lambda number: number if number.startswith("1") else None, open_request=self._open
        )
        office: Any = self.office
        office.opening = lambda: SimpleNamespace(is_open=self.is_open)
        ledger: Any = self.ledger
        self.online = OnlineOperations(
            self.orders, promises=promises, ledger=ledger, timetable=self.timetable_made, office=self.office,
            clock=self.clock,
        )  # fmt: skip

    async def _open(self, request: Request, call_id: str, kind: OrderKind, at: Any) -> OpenedOrder:
        self.requests.append((request, kind))
        order = self.put(
            callback_number=request.callback_number, key_path=request.key_path, opened_at="03-04 09:30", kind=kind,
            state=OrderState.OPENED,
        )  # fmt: skip
        return OpenedOrder(order.order_id, False, order.due_at, False)

    def asks(self, wants: str = "callback", matter: str = "tax", number: str = NUMBER) -> dict[str, Any]:
        asked: dict[str, Any] = self.done(
            self.online.open_for_online(matter, number, "如何退税？", wants, CHAT)  # type: ignore[arg-type]
        )
        return asked

    def hear(self, order_id: str) -> None:
        """Tell of the last event, as the ledger does."""
        event_type, payload, at = self.ledger.events[-1]
        assert at is not None
        self.online.on_event(JournalEvent.new(event_type, payload, at), EventOutcome("applied", order_id))
        self.time.advance(0)

    def first_response_s(self, order_id: str) -> float | None:
        found: float | None = self.done(self.online.first_response_s(order_id))
        return found


@pytest.fixture
def chat() -> Chat:
    return Chat()


def test_a_chat_that_wants_a_callback_gets_an_order_with_its_words(chat: Chat) -> None:
    answer = chat.asks()
    assert (answer["is_calling"], answer["why_not_calling"], chat.rung) == (False, "", [])
    order = chat.done(chat.orders.one(answer["order_id"]))
    assert (order.written_request, order.kind) == ("如何退税？", OrderKind.ONLINE)
    assert chat.requests[0][0].was_closed is False


def test_a_chat_that_wants_a_call_now_has_its_unit_rung_at_once(chat: Chat) -> None:
    answer = chat.asks("call_now")
    assert answer["is_calling"]
    assert [order_id for _, order_id in chat.rung] == [answer["order_id"]]


def test_out_of_hours_a_call_now_becomes_a_callback(chat: Chat) -> None:
    chat.is_open = False
    answer = chat.asks("call_now")
    assert (answer["is_calling"], answer["why_not_calling"], chat.rung) == (False, "line.closed", [])
    assert chat.requests[0][0].was_closed


def test_without_a_free_line_the_order_stays_and_the_chat_is_told_why(chat: Chat) -> None:
    chat.free_lines = 0
    assert chat.asks("call_now")["why_not_calling"] == "lines.none_free"
    assert len(chat.requests) == 1


@pytest.mark.parametrize(("asked", "key"), [
    ({"matter": "unknown"}, "matter.unknown"), ({"number": "+1555"}, "number.not_dialable"),
    ({"wants": "fax"}, "online.unknown_wish"),
])  # fmt: skip
def test_what_cannot_be_promised_is_refused_and_no_order_opened(chat: Chat, asked: dict[str, str], key: str) -> None:
    with pytest.raises(OperationRefused) as refused:
        chat.asks(**asked)
    assert refused.value.key == key
    assert not chat.requests


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_chat_is_answered_when_its_words_are_on_disk_or_told_that_they_are_not(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    note_order, disk = chat.ledger.note_order, Deferred[None]()
    answers: list[dict[str, Any]] = []

    async def slowly(*args: Any, **told: Any) -> Any:
        await disk
        return await note_order(*args, **told)

    monkeypatch.setattr(chat.ledger, "note_order", slowly)
    asking = chat.online.open_for_online("tax", NUMBER, "如何退税？", "callback", CHAT)
    ensureDeferred(asking).addCallbacks(answers.append, answers.append)
    chat.time.advance(0)
    assert answers == []
    chat.ledger.is_away = not is_kept
    disk.callback(None)
    chat.time.advance(0)
    chat.ledger.is_away = False
    chat.time.advance(0)
    assert [answer["is_text_kept"] for answer in answers] == [is_kept]
    order = chat.done(chat.orders.one(answers[0]["order_id"]))
    assert order.written_request == ("如何退税？" if is_kept else "")


def test_a_node_that_stops_notes_the_first_response_it_has_heard_of(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = chat.asks()["order_id"]
    chat.do("acknowledge", chat.done(chat.orders.one(order_id)), TAX)
    note_order, disk = chat.ledger.note_order, Deferred[None]()

    async def slowly(*args: Any, **told: Any) -> Any:
        await disk
        return await note_order(*args, **told)

    monkeypatch.setattr(chat.ledger, "note_order", slowly)
    chat.hear(order_id)
    stopped = ensureDeferred(chat.online.stop())
    assert not stopped.called
    chat.time.advance(0)
    disk.callback(None)
    chat.time.advance(0)
    assert stopped.called
    assert chat.first_response_s(order_id) == 0.0


def test_the_first_response_is_measured_once(chat: Chat) -> None:
    order_id = chat.asks()["order_id"]
    order = chat.done(chat.orders.one(order_id))
    assert chat.first_response_s(order_id) is None
    chat.time.advance(90)
    chat.do("acknowledge", order, TAX)
    chat.hear(order_id)
    assert chat.first_response_s(order_id) == 90.0
    chat.time.advance(60)
    chat.do("write_answer", order, "请到窗口。", TAX)
    chat.hear(order_id)
    assert chat.first_response_s(order_id) == 90.0
    assert chat.ledger.notes(order_id, "first_response")[0]["who"] == "online:acknowledged"


def test_a_chat_merged_into_an_order_of_a_phone_call_is_measured_from_its_own_wish(chat: Chat) -> None:
    left_at = datetime(2026, 3, 4, 9, 30, tzinfo=SHANGHAI)
    wish = MergedCall(
        order_id="26030410009", call_id="online-x", kind=OrderKind.ONLINE, opened_at=left_at + timedelta(minutes=5),
        caller_number="138", company="", key_path="online", message_path="",
    )  # fmt: skip
    order = chat.put(opened_at="03-04 09:30", merged_calls=(wish,))
    assert online_since(order) == wish.opened_at
    assert online_since(chat.put(opened_at="03-04 09:30")) is None


def test_an_order_left_by_telephone_has_no_first_response(chat: Chat) -> None:
    order = chat.put(opened_at="03-04 09:30")
    chat.do("acknowledge", order, TAX)
    chat.hear(order.order_id)
    assert chat.first_response_s(order.order_id) is None
