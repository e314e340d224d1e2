"""Text of the network: any bytes become one line that people can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.text import readable


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("市民".encode(), "市民"),
        ("市民".encode("gbk"), "市民"),
        ("㐂".encode("gb18030"), "㐂"),
        (b"Busy \xff\xfe Here", "Busy \ufffd\ufffd Here"),
        (b"a\r\nb\x1b[31m", "a b [31m"),
        (b"", ""),
    ],
)
def test_utf8_comes_first_and_gb18030_second(raw: bytes, text: str) -> None:
    assert readable(raw) == text


@given(st.binary(max_size=200))
def test_any_bytes_become_printable_text_on_one_line(raw: bytes) -> None:
    assert readable(raw).isprintable()
