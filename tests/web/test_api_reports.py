"""Reports and the hand-over from the online assistant by the API."""

from __future__ import annotations

from datetime import date

import pytest

from callback_scheduler.reports.orders import By
from ivr.refused import OperationRefused
from tests.fakes.operations import MORNING
from tests.web.api_programs import Program, key_of, told
from tests.web.api_sample import PHONE, orders_of_a_day, report_of
from tests.web.visitors import House

OPENED = {
    "order_id": "26031010001", "was_merged": False, "asked_at": "2026-03-10T09:05:00+08:00",
    "due_at": "2026-03-11T10:00:00+08:00", "is_text_kept": True, "is_calling": True,
    "why_not_calling": "",
}  # fmt: skip
WISH = {"matter_id": "tax", "number": PHONE, "wants": "call_now", "text": "发票"}


@pytest.fixture
def house() -> House:
    """A console with a report of 60 orders, and an online assistant that is always understood."""
    made = House()
    orders = orders_of_a_day(MORNING, 60)
    made.operations.orders_there = {order.order_id: order for order in orders}
    made.operations.answers["report"] = report_of(orders, date(2026, 3, 1), MORNING)
    made.operations.answers["online.open_for_online"] = OPENED
    return made


def test_a_report_answers_the_figures_of_the_command_line(house: House) -> None:
    answer = told(Program(house).get("/api/v1/reports?from=2026-03-01&misses=0"))
    wanted = house.operations.answers["report"].as_fields()
    assert answer["orders"] == wanted["orders"]
    assert answer["calls"]["total"] == wanted["calls"]["total"]
    assert answer["error_budget"] == wanted["error_budget"]
    assert (answer["from"], answer["to"], answer["misses"]) == ("2026-03-01", None, [])
    assert answer["orders"]["after_hours"]["total"]["orders"] == 60


def test_a_report_is_asked_what_the_address_says(house: House) -> None:
    query = "from=2026-02-01&to=2026-02-28&unit=tax&rule=city-24h&by=day"
    assert Program(house).get(f"/api/v1/reports?{query}").status == 200
    [(_, (asked,))] = house.operations.acts
    assert (asked.since, asked.until, asked.unit_id) == (date(2026, 2, 1), date(2026, 2, 28), "tax")
    assert (asked.rule.name, asked.by) == ("city-24h", By.DAY)
    Program(house, unit_id="market", name="m").get("/api/v1/reports")
    asked = house.operations.acts[-1][1][0]
    assert (asked.unit_id, asked.since) == ("market", date(2026, 3, 1))


@pytest.mark.parametrize(
    "query", ["from=2026-03-02&to=2026-03-01", "from=2000-01-01", "from=20260301", "by=hour", "rule=x"]
)
def test_no_report_is_made_of_a_wrong_question(house: House, query: str) -> None:
    assert Program(house).get(f"/api/v1/reports?{query}").status == 422
    assert house.operations.acts == []


def test_a_chat_asks_for_a_call_and_hears_what_became_of_it(house: House) -> None:
    chat = Program(house, ("online:write",))
    answer = chat.post("/api/v1/online-requests", WISH)
    assert (answer.status, told(answer)["is_calling"]) == (201, True)
    assert house.operations.acts == [("online.open_for_online", ("tax", PHONE, "发票", "call_now", "api:chat"))]
    assert house.audit.acts[-1].about == "26031010001"
    house.operations.answers["online.first_response_s"] = 42.5
    order_id = next(iter(house.operations.orders_there))
    state = chat.get(f"/api/v1/online-requests/{order_id}")
    assert told(state)["first_response_s"] == 42.5
    assert PHONE not in state.body.decode()
    assert key_of(chat.get("/api/v1/online-requests/26031010009")) == (404, "api.no_order")


def test_a_chat_may_say_who_asks(house: House) -> None:
    chat = Program(house, ("online:write",))
    assert chat.post("/api/v1/online-requests", WISH | {"company": "长宁纸业", "contact": "王经理"}).status == 201
    assert house.operations.acts[-1][1][-2:] == ("长宁纸业", "王经理")
    assert chat.post("/api/v1/online-requests", WISH | {"company": "长" * 101}).status == 422


def test_a_text_alone_is_enough_if_it_names_one_matter(house: House) -> None:
    chat = Program(house, ("online:write",))
    sent = {"number": PHONE, "wants": "callback", "text": "我想咨询发票的问题"}
    assert told(chat.post("/api/v1/online-requests", sent))["matter_id"] == "tax"
    assert house.operations.acts[-1][1][0] == "tax"
    several = chat.post("/api/v1/online-requests", sent | {"text": "发票和社会保险"})
    assert key_of(several) == (422, "api.which_matter")
    assert [fault["what"].split()[-2] for fault in told(several)["faults"]] == ["tax", "social_insurance"]
    assert key_of(chat.post("/api/v1/online-requests", sent | {"text": "你好"})) == (422, "api.which_matter")
    assert key_of(chat.post("/api/v1/online-requests", sent | {"text": ""})) == (422, "error.422")
    assert len(house.operations.acts) == 1


def test_what_the_node_refuses_is_a_conflict_with_its_key(house: House) -> None:
    house.operations.answers["online.open_for_online"] = OperationRefused("这个号码不能回拨。", "number.not_dialable")
    refused = Program(house).post("/api/v1/online-requests", WISH)
    assert (key_of(refused), told(refused)["detail"]) == ((409, "refused.number.not_dialable"), "这个号码不能回拨。")


def test_a_chat_finds_matters_by_words_and_a_unit_its_own_only(house: House) -> None:
    found = told(Program(house).get("/api/v1/matters?q=fapiao"))["matters"]
    assert [one["matter_id"] for one in found][:1] == ["tax"]
    every = told(Program(house).get("/api/v1/matters"))["matters"]
    assert "legal_aid" not in [one["matter_id"] for one in every], "it belongs elsewhere"
    tax = Program(house, unit_id="tax", name="t")
    assert {one["unit_id"] for one in told(tax.get("/api/v1/matters"))["matters"]} == {"tax"}
    assert key_of(tax.post("/api/v1/online-requests", WISH | {"matter_id": "talent"})) == (403, "api.other_unit")
