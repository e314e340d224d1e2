"""A phone number that somebody typed is found however it is written, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from routing.masking import masked_text, with_numbers


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("已拨打13800001234，无人接听", "已拨打138****1234，无人接听"),
        ("138-0000-1234", "138****1234"),
        ("138 0000 1234", "138****1234"),
        ("1 3 8 0 0 0 0 1 2 3 4", "138****1234"),
        ("138－0000－1234", "138****1234"),
        ("１３８００００１２３４", "１３８****１２３４"),
        ("+86 138 0000 1234", "+86****1234"),
        ("+8613800001234", "+86****1234"),
        ("0086-13800001234", "008****1234"),
        ("电话:010-62345678转801", "电话:010****5678转801"),
        ("（010）62345678", "010****5678"),
        ("0755 2345 6789", "075****6789"),
        ("400-123-4567", "400****4567"),
        ("座机 62345678", "座机 623****5678"),
        ("联系-13800001234", "联系-138****1234"),
        ("13800001234、13900005678", "138****1234、139****5678"),
        ("supervisor:13800001234", "supervisor:138****1234"),
    ],
)
def test_a_number_in_a_text_is_masked_however_it_is_written(typed: str, shown: str) -> None:
    assert masked_text(typed) == shown


@pytest.mark.parametrize(
    "typed",
    [
        "", "工单26021410001", "2026-03-10 09:05:30", "2026年3月10日", "12345热线", "call-13800001234", "a13800001234b",
        "3.14159", "共 120 件", "1.5.2.8000", "9f86d081884c7d659a2feaa0c55ad015",
    ],
)  # fmt: skip
def test_what_is_no_number_stays(typed: str) -> None:
    assert masked_text(typed) == typed


def test_what_leaves_the_house_keeps_digits_that_have_no_form_of_a_number() -> None:
    assert with_numbers("size 12345678, 138 0000 1234", lambda number: f"<{number}>") == "size 12345678, <13800001234>"
