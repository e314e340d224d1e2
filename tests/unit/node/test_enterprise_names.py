"""Who is calling: entered by the seat, the unit or a chat, kept with call and order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from callback_scheduler.orders.actor import Actor
from ivr.refused import OperationRefused
from routing.site import load_site
from tests.fakes.line import MORNING, Story
from tests.fakes.seat_story import ANSWERS, SEAT, WHO, SeatStory
from tests.unit.node.test_operations_online import CHAT, NUMBER, Chat
from tests.unit.node.test_operations_orders import Desk

UNIT = Actor.read("unit:tax:李四")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SeatStory]:
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    story = Story(site, tmp_path, MORNING, {SEAT: ANSWERS})
    yield SeatStory(story)
    if not story.done.called:
        story.end_everything().finish()


def test_a_seat_names_the_enterprise_of_its_call_and_the_order_that_comes_of_it_has_the_name(desk: SeatStory) -> None:
    desk.with_seat()
    desk.do(desk.operations.seats.name_enterprise(SEAT, "  长宁  纸业 ", "王经理", WHO))
    request = desk.call.request
    assert (request.company, request.contact) == ("长宁 纸业", "王经理")
    (named,) = desk.story.ledger.of_type("enterprise_named")
    assert named["call_id"] == desk.call.call_id
    noted = desk.story.ledger.of_type("request_noted")[-1]
    assert (noted["company"], noted["contact"]) == ("长宁 纸业", "王经理"), "a node that dies does not forget it"
    desk.do(desk.operations.seats.name_enterprise(SEAT, "", "李经理", WHO))
    assert (request.company, request.contact) == ("长宁 纸业", "李经理")


@pytest.mark.parametrize(("company", "contact"), [("", "  "), ("长" * 101, ""), ("", "王" * 101)])
def test_nothing_and_too_much_are_refused(desk: SeatStory, company: str, contact: str) -> None:
    desk.with_seat()
    with pytest.raises(OperationRefused):
        desk.do(desk.operations.seats.name_enterprise(SEAT, company, contact, WHO))
    assert desk.story.ledger.of_type("enterprise_named") == []


def test_a_seat_without_a_call_has_nobody_to_name(desk: SeatStory) -> None:
    assert desk.refusal(desk.operations.seats.name_enterprise("8002", "长宁纸业", "", WHO))


def test_a_unit_names_the_enterprise_of_its_own_orders_only() -> None:
    desk = Desk()
    order, other = desk.put(company="旧名"), desk.put(unit_id="market")
    named = desk.do("name_enterprise", order, "长宁纸业", "王经理", UNIT)
    assert (named.company, named.contact) == ("长宁纸业", "王经理")
    assert desk.do("name_enterprise", order, "", "李经理", UNIT).company == "长宁纸业"
    assert desk.refusal("name_enterprise", other, "长宁纸业", "", UNIT) == "order.not_yours"


def test_a_chat_says_who_asks_and_what_was_asked_before_stays() -> None:
    chat = Chat()
    asked: Any = chat.done(
        chat.online.open_for_online("tax", NUMBER, "如何退税？", "callback", CHAT, company=" 长宁纸业 ", contact="王")
    )
    ((request, _),) = chat.requests
    assert (request.company, request.contact) == ("长宁纸业", "王")
    changes = chat.ledger.notes(asked["order_id"], "online_request")[-1]["changes"]
    assert changes == {"written_request": "如何退税？", "written_requests": ["如何退税？"]}
