"""Keys by SIP INFO: every form that phones send becomes the one that a line knows."""

from __future__ import annotations

import pytest

from ivr.sip.key_info import is_key, key_of, relayed


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"5", b"5"), (b"5\r\n", b"5"), (b"Signal=5\r\nDuration=160\r\n", b"5"), (b"Signal= *\r\n", b"*"),
        (b"signal=d", b"D"), (b"Duration=160\r\nSignal=#\r\n", b"#"), (b"Signal=10", b"*"), (b"11", b"#"),
        (b"p=Digit-Collection\r\ny=Digits\r\nd.d=7\r\n", b"7"),
        (b"Signal=55", None), (b"Signal=", None), (b"", None), (b"\xff\xfe", None), (b"Signal=16", None),
    ],
)  # fmt: skip
def test_the_key_of_an_info_is_read(body: bytes, key: bytes | None) -> None:
    assert key_of(body) == key
    if key is not None:
        assert key_of(relayed(key)) == key


@pytest.mark.parametrize(
    ("kind", "is_it"),
    [(b"application/dtmf-relay", True), (b"Application/DTMF ; x=1", True), (b"text/plain", False), (b"", False)],
)
def test_what_is_about_a_key_is_told_by_its_type(kind: bytes, is_it: bool) -> None:
    assert is_key(kind) is is_it
