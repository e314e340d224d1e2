"""A number is found by any form of it, and by any part."""

from __future__ import annotations

import pytest

from callback_scheduler.store.search import OrderFilter
from console.supervisor.order_list import _has
from routing.number_search import has_part, number_parts
from tests.fakes.number_forms import DIALLED
from tests.fakes.orders import an_order


@pytest.mark.parametrize(("written", "stored_form"), DIALLED.items())
def test_an_order_is_found_by_every_form_of_its_number(written: str, stored_form: str) -> None:
    order = an_order(callback_number=stored_form, caller_number="13900000000")
    assert has_part(stored_form, number_parts(written))
    assert _has(order, written.strip())
    assert OrderFilter(phone=written).fits(order)
    assert not OrderFilter(phone=written).fits(an_order(callback_number="15900000000", caller_number="15900000000"))


@pytest.mark.parametrize(
    "words",
    ["138", "1380000", "+86138", "0086 138", "+86 1380000", "0138000", "8613800", "0000", "00-01", "1234", "01234",
     "138-0000", "１３８０", "138 0000 1"],
)  # fmt: skip
def test_and_by_a_part_at_the_beginning_in_the_middle_and_at_the_end(words: str) -> None:
    assert has_part("13800001234", number_parts(words))


@pytest.mark.parametrize("words", ["021-6234", "(021) 62", "+86 21 62", "6234", "5678", "62345678", "021"])
def test_so_is_a_landline(words: str) -> None:
    assert has_part("02162345678", number_parts(words))


def test_a_caller_whom_an_earlier_version_kept_as_the_trunk_wrote_them_is_found() -> None:
    for written in ("021-62345678", "+862162345678", "02162345678"):
        assert has_part("+862162345678", number_parts(written))
    assert has_part("+8613800138000", number_parts("13800138000"))


@pytest.mark.parametrize("words", ["", "1", "张三", "138x", "1380013800٠", "--", "+", "138*", "[0-9]"])
def test_what_is_no_part_of_a_number_finds_none(words: str) -> None:
    assert number_parts(words) == ()
    assert not has_part("13800138000", number_parts(words))


def test_who_sees_no_numbers_cannot_feel_their_way_to_one() -> None:
    def finds(words: str) -> bool:
        order = an_order(callback_number="13855661234", caller_number="anonymous")
        return OrderFilter(phone=words, sees_numbers=False).fits(order)

    assert finds("13855661234")
    assert finds("+8613855661234")
    assert finds("1234")
    assert finds("138")
    assert finds("5566123")
    for feeling in ("1385", "13855", "138556", "55", "5566", "61234", "566123"):
        assert not finds(feeling), feeling


def test_a_number_of_an_order_is_still_found_by_its_ends_and_a_company_by_its_name() -> None:
    order = an_order(company="张江三八工厂")
    assert _has(order, order.order_id[-4:])
    assert _has(order, order.order_id[:6])
    assert _has(order, "三八")
    assert not _has(order, "13811112222")
