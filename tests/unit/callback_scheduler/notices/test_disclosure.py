"""What leaves the house: phone numbers as configured, wherever they stand."""

from __future__ import annotations

import pytest

from callback_scheduler.notices.disclosure import disclosed, masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("改号 13900001111。", "改号 139****1111。"),
        ("电话：139 0000 1111", "电话：139****1111"),
        ("+86-13900001111", "+86****1111"),
        ("021-62345678 转王", "021****5678 转王"),
        ("02162345678", "021****5678"),
        ("工单26030310001", "工单26030310001"),
        ("9f13900001111a", "9f13900001111a"),
        ("2026-03-04T02:00:00+00:00", "2026-03-04T02:00:00+00:00"),
        ("", ""),
    ],
)
def test_a_number_in_a_text_is_masked_and_nothing_else_is(text: str, expected: str) -> None:
    assert disclosed({"why": text}, "masked") == {"why": expected}


def test_numbers_are_found_by_the_key_they_stand_under_however_deep() -> None:
    fields = {
        "callback_number": "13800000001",
        "changes": {"callback_number": "6101"},
        "attempt": {"number": "13800000001", "unit_number": "6101", "evidence": {"enterprise_number": "02162345678"}},
        "order_ids": ["26030310001"],
        "returns": 2,
    }
    shown = disclosed(fields, "masked")
    assert shown["callback_number"] == "138****0001"
    assert shown["changes"] == {"callback_number": "****1"}
    assert shown["attempt"]["unit_number"] == "****1"
    assert shown["attempt"]["evidence"] == {"enterprise_number": "021****5678"}
    assert (shown["order_ids"], shown["returns"]) == (["26030310001"], 2)
    assert disclosed(fields, "full") == fields
    left_out = disclosed(fields, "left_out")
    assert (left_out["callback_number"], left_out["attempt"]["number"]) == ("", "")


def test_files_are_named_without_where_they_lie() -> None:
    fields = {"message_path": "recordings/2026/m.wav", "messages": ["a/b.wav", "c.wav"]}
    assert disclosed(fields, "full") == {"message_path": "m.wav", "messages": ["b.wav", "c.wav"]}


def test_a_short_number_shows_its_last_digit_only() -> None:
    assert (masked("6101"), masked("13800000001")) == ("****1", "138****0001")
