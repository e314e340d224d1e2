"""Numbers on pages and in the API: accounts, seats that enter one, searches."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from callback_scheduler.orders.states import OrderState
from console.people.roles import Role
from tests.fakes.number_forms import DIALLED, REFUSED
from tests.fakes.operations import MORNING
from tests.fakes.orders import an_order
from tests.web.api_programs import Program, told
from tests.web.visitors import House, text

ACCOUNT = {"name": "wu", "role": "supervisor", "unit_id": "", "display_name": "吴", "is_active": "yes"}


@pytest.fixture
def house() -> House:
    return House()


# -- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [*[written for written in REFUSED if written.strip()][::4], "16812345678"])
def test_no_account_has_a_phone_that_is_not_dialled(house: House, written: str) -> None:
    answer = house.visitor(Role.ADMIN).post("/new-account", ACCOUNT | {"number": written})
    assert answer.status == 400
    assert house.people.accounts.find("wu") is None


@pytest.mark.parametrize(
    ("written", "stored_form"),
    [*list(DIALLED.items())[::40], ("8001", "8001"), ("", ""), ("sip:8001@127.0.0.1:5062", "sip:8001@127.0.0.1:5062")],
)
def test_the_phone_of_an_account_is_kept_in_its_stored_form(house: House, written: str, stored_form: str) -> None:
    house.visitor(Role.ADMIN).post("/new-account", ACCOUNT | {"number": written})
    account = house.people.accounts.find("wu")
    assert account is not None
    assert account.number == stored_form


def test_an_account_that_an_earlier_version_gave_such_a_phone_rings_nobody(house: House) -> None:
    listening = house.visitor(Role.SUPERVISOR, name="wu", number="16812345678")
    assert listening.post("/wall/calls/c1/listen").status != 200
    assert not [act for act in house.operations.acts if act[0].startswith("supervision")]
    seat = house.visitor(Role.SEAT, name="li", number="16812345678")
    assert "没有电话号码" in text(seat.get("/seat"))


# -- orders without a number ------------------------------------------------------------------------------------------


def numberless(house: House, message: str = "") -> str:
    order = an_order(callback_number="", caller_number="0085223456789", message_path=message)
    known = an_order(callback_number="13800138000")
    house.operations.orders_there = {each.order_id: each for each in (order, known)}
    return order.order_id


def test_a_seat_sees_what_was_left_without_a_number_hears_it_and_enters_one(house: House, tmp_path: Path) -> None:
    file = tmp_path / "message.wav"
    file.write_bytes(b"RIFF")
    order_id, li = numberless(house, str(file)), house.visitor(Role.SEAT, name="li", number="8001")
    house.operations.answers["orders.set_number"] = house.operations.orders_there[order_id]
    page = text(li.get("/seat/numbers"))
    assert "号码不详" in page
    assert "0085223456789" in page
    assert f"/seat/numbers/{order_id}/messages/" in page
    assert "138****8000" not in page
    answer = li.post(f"/seat/numbers/{order_id}", {"number": "021-62345678", "why": "企业名片"})
    assert answer.status == 303
    assert house.operations.acts[-1] == ("orders.set_number", (order_id, "021-62345678", "企业名片", "seat:li"))


@pytest.mark.parametrize("missing", ["number", "why"])
def test_neither_the_number_nor_how_it_was_found_may_be_missing(house: House, missing: str) -> None:
    order_id, li = numberless(house), house.visitor(Role.SEAT, name="li", number="8001")
    form = {"number": "13800138000", "why": "名片"} | {missing: " "}
    assert li.post(f"/seat/numbers/{order_id}", form).status == 400
    assert not [act for act in house.operations.acts if act[0] == "orders.set_number"]


def test_a_seat_enters_no_number_for_an_order_that_has_one(house: House) -> None:
    numberless(house)
    known = next(order for order in house.operations.orders_there.values() if order.callback_number)
    li = house.visitor(Role.SEAT, name="li", number="8001")
    assert li.post(f"/seat/numbers/{known.order_id}", {"number": "13800138001", "why": "x"}).status == 404


def test_every_page_of_an_order_without_a_number_says_so(house: House) -> None:
    order_id = numberless(house)
    assert "号码不详" in text(house.visitor(Role.SUPERVISOR).get(f"/orders/{order_id}"))


# -- searches of programs ---------------------------------------------------------------------------------------------


@pytest.fixture
def searched(house: House) -> House:
    orders = (
        an_order(callback_number="13800001234", caller_number="13800001234", state=OrderState.SENT),
        an_order(callback_number="02162345678", caller_number="anonymous", state=OrderState.SENT),
        an_order(callback_number="13955556666", caller_number="13955556666", state=OrderState.SENT),
    )
    house.operations.orders_there = {order.order_id: order for order in orders}
    assert orders[0].opened_at < MORNING
    return house


@pytest.mark.parametrize(
    "phone",
    ["+8613800001234", "008613800001234", "8613800001234", "013800001234", "138-0000-1234", "1234", "138", "1380000",
     "１３８００００１２３４"],
)  # fmt: skip
def test_a_program_finds_orders_by_any_form_and_part_of_a_number(searched: House, phone: str) -> None:
    found = told(Program(searched).get(f"/api/v1/orders?phone={quote(phone)}"))["orders"]
    assert [one["callback_number"] for one in found] == ["138****1234"]


def test_a_program_that_sees_numbers_finds_their_middle_too(searched: House) -> None:
    seeing = Program(searched, ("orders:read", "numbers:full"), name="full")
    for part in ("0000", "80000", "000012"):
        found = told(seeing.get(f"/api/v1/orders?phone={part}"))["orders"]
        assert [one["callback_number"] for one in found] == ["13800001234"]
        assert told(Program(searched, name="masked").get(f"/api/v1/orders?phone={part}"))["orders"] == []


def test_a_program_enters_a_number_once_for_its_key(house: House) -> None:
    order_id = numberless(house)
    house.operations.answers["orders.set_number"] = house.operations.orders_there[order_id]
    program = Program(house)
    for _ in range(2):
        program.post(f"/api/v1/orders/{order_id}/number", {"number": "+862162345678", "why": "来信"}, key="k1-of-test")
    acts = [act for act in house.operations.acts if act[0] == "orders.set_number"]
    assert [act[1][:3] for act in acts] == [(order_id, "+862162345678", "来信")]


def test_a_unit_enters_the_number_of_its_own_order_only(house: House) -> None:
    order_id, wang = numberless(house), house.visitor(Role.UNIT, name="wang", unit_id="tax", number="6111")
    house.operations.answers["orders.set_number"] = house.operations.orders_there[order_id]
    path = f"/unit/orders/{order_id}/callback-number"
    assert f'action="{path}"' in text(wang.get(f"/unit/orders/{order_id}"))
    assert wang.post(path, {"number": "62345678", "why": "留言中说明"}).status == 303
    assert house.operations.acts[-1] == ("orders.set_number", (order_id, "62345678", "留言中说明", "unit:tax:wang"))
    other = house.visitor(Role.UNIT, name="zhao", unit_id="market")
    assert other.post(path, {"number": "62345678", "why": "x"}).status == 404
