"""SIPp's callers against a phone: what they press arrives, each key once."""

from __future__ import annotations

import pytest

from demo.exchange import PhoneExchange
from ivr.line.messages import KeyPressed
from tests.sip.keys_pcap import key_packets
from tests.sip.sipp import Sipp

pytestmark = [pytest.mark.sip, pytest.mark.sipp]


def test_sipps_stock_caller_is_answered(exchange: PhoneExchange, sipp: Sipp) -> None:
    phone = exchange.phone("seat", "8001").auto_answer()
    result = sipp.run(phone.sip_port, "uac", number="8001", calls=2, at_once=1, call_ms=200)
    assert (result.successful, result.failed) == (2, 0), result.errors


def test_keys_of_a_capture_arrive_once_and_in_order(exchange: PhoneExchange, sipp_with_captures: Sipp) -> None:
    phone = exchange.phone("seat", "8001").auto_answer()
    result = sipp_with_captures.run(phone.sip_port, "keys_rfc4733", number="8001", call_ms=2500, keys="1*20#")
    assert (result.successful, result.failed) == (1, 0), result.errors
    pressed = phone.events(KeyPressed)
    assert "".join(key.digit for key in pressed) == "1*20#", phone.story()
    assert {key.source for key in pressed} == {"rfc4733"}


def test_keys_by_info_arrive_without_any_rights(exchange: PhoneExchange, sipp: Sipp) -> None:
    phone = exchange.phone("seat", "8001").auto_answer()
    result = sipp.run(phone.sip_port, "keys_info", number="8001", call_ms=300)
    assert (result.successful, result.failed) == (1, 0), result.errors
    pressed = phone.events(KeyPressed)
    assert [(key.digit, key.source) for key in pressed] == [("1", "info"), ("0", "info")], phone.story()


def test_a_key_is_one_timestamp_growing_durations_and_three_ends() -> None:
    packets = [packet for _, packet in key_packets("5#", key_ms=100, gap_ms=100)]
    assert len(packets) == 2 * (5 + 2)
    first = packets[:7]
    assert {packet[4:8] for packet in first} == {bytes(4)}
    assert [int.from_bytes(packet[14:16], "big") for packet in first] == [160, 320, 480, 640, 800, 800, 800]
    assert [packet[13] >> 7 for packet in first] == [0, 0, 0, 0, 1, 1, 1]
    assert [packet[1] >> 7 for packet in packets] == [1, 0, 0, 0, 0, 0, 0] * 2
    assert int.from_bytes(packets[7][4:8], "big") == 8 * 200
    assert [int.from_bytes(packet[2:4], "big") for packet in packets] == list(range(1, 15))
