"""Phone numbers in a text are masked, and what is none stays as it is."""

from __future__ import annotations

import pytest

from routing.phone_numbers import masked_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请回电13800138000找王", "请回电138****8000找王"),
        ("tel:+8613800138000", "tel:+86****8000"),
        ("138-0013-8000, 138 0013 8000", "138****8000, 138****8000"),
        ("021-62345678 / 02162345678", "021****5678 / 021****5678"),
        ("本地62345678，服务4008201234", "本地623****5678，服务400****1234"),
    ],
)
def test_a_number_in_a_text_is_masked(text: str, shown: str) -> None:
    assert masked_in(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "26030310007 close",
        "20260303T180000-1a2b3c4d-message.wav",
        "20260303T180000-12345678",
        "until 2026-03-03T18:00:00+08:00",
        "20260303",
        "10.0.0.5 200 a3",
        "0f13800138000a",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert masked_in(text) == text
