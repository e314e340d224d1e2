"""Keys in RTP packets: one press is one key, whichever of its packets arrive (RFC 4733)."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.line.event_packets import EventPackets

DIGITS = "0123456789*#ABCD"


def event(
    digit: str, timestamp: int, *, duration: int = 160, end: bool = False, kind: int = 101, ssrc: int = 7
) -> bytes:
    """Return one telephone-event packet."""
    head = struct.pack("!BBHII", 0x80, kind, 1, timestamp % 2**32, ssrc)
    return head + struct.pack("!BBH", DIGITS.index(digit), 0x80 * end | 10, duration)


def keys(*packets: bytes) -> str:
    reader = EventPackets()
    return "".join(reader.digit_of(packet) or "" for packet in packets)


def whole(digit: str, timestamp: int) -> list[bytes]:
    """Return a press as RFC 4733 sends it: updates, then its end three times."""
    updates = [event(digit, timestamp, duration=160 * n) for n in range(1, 6)]
    return [*updates, *[event(digit, timestamp, duration=960, end=True)] * 3]


def only_ends(digit: str, timestamp: int) -> list[bytes]:
    return [event(digit, timestamp, duration=1280, end=True)] * 3


def one_packet(digit: str, timestamp: int) -> list[bytes]:
    return [event(digit, timestamp)]


def zero_duration(digit: str, timestamp: int) -> list[bytes]:
    return [event(digit, timestamp, duration=0, end=end) for end in (False, False, True, True, True)]


@pytest.mark.parametrize("press", [whole, only_ends, one_packet, zero_duration])
@pytest.mark.parametrize("number", ["13800112201", "1", "##", "*0#", "0000"])
def test_each_timestamp_is_one_key_whichever_packets_of_it_arrive(press: object, number: str) -> None:
    assert callable(press)
    packets = [packet for at, digit in enumerate(number) for packet in press(digit, 5000 + 1600 * at)]
    assert keys(*packets) == number


@pytest.mark.parametrize("kind", [96, 97, 100, 101, 120, 127])
def test_a_phones_own_payload_number_is_heard(kind: int) -> None:
    assert keys(event("1", 100, kind=kind)) == "1"


def test_a_key_held_for_many_seconds_is_one_key() -> None:
    begun = 4_000_000_000  # the timestamp turns over on the way
    segments = [event("5", begun + 65535 * n, duration=65535) for n in range(6)]
    assert keys(*segments, event("5", begun + 65535 * 6, duration=800, end=True)) == "5"


def test_a_gateway_that_moves_the_timestamp_within_a_press_is_understood() -> None:
    moving = [event("3", 160 * n, duration=160 * n) for n in range(1, 6)]
    moving += [event("3", 160 * n, duration=960, end=True) for n in (6, 7, 8)]
    assert keys(*moving) == "3"
    assert keys(*moving, event("3", 160 * 20)) == "33"


def test_a_packet_that_was_overtaken_is_no_new_key() -> None:
    first, second = whole("1", 1000), whole("2", 3000)
    assert keys(*first[:-1], *second, first[-1], *whole("1", 5000)) == "121"


def test_a_new_stream_begins_anew() -> None:
    assert keys(*whole("1", 90000), event("1", 40, ssrc=8), event("2", 90000 + 4000, ssrc=8)) == "112"


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"\x80" * 15, event("1", 1, kind=8), event("1", 1, kind=13), event("1", 1)[:-1], event("1", 1) + b"\0",
        struct.pack("!BBHII", 0x80, 101, 1, 1, 7) + bytes((16, 10, 0, 160)),  # a flash is no key
        event("1", 1).replace(b"\x80", b"\x00", 1),  # another version of RTP
    ],
)  # fmt: skip
def test_other_packets_are_no_keys(packet: bytes) -> None:
    assert keys(packet) == ""


def test_sources_extension_and_padding_are_read_over() -> None:
    plain = event("9", 1)
    with_source = bytes((0x81,)) + plain[1:12] + b"\1\2\3\4" + plain[12:]
    with_extension = bytes((0x90,)) + plain[1:12] + b"\xbe\xde\0\1abcd" + plain[12:]
    padded = bytes((0xA0,)) + plain[1:] + b"\0\0\0\4"
    assert [keys(packet) for packet in (with_source, with_extension, padded)] == ["9"] * 3


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_survived(packets: list[bytes]) -> None:
    assert len(keys(*packets)) <= len(packets)


class Pjmedia:
    """What pjmedia tells of event packets: each update, an end once; of equal digits it sees the duration alone."""

    def __init__(self) -> None:
        self._last: tuple[int, int, bool] | None = None

    def tells(self, packet: bytes) -> tuple[str, int, int, bool] | None:
        timestamp, = struct.unpack_from("!I", packet, 4)
        code, flags, duration = struct.unpack_from("!BBH", packet, 12)
        has_ended, last = bool(flags & 0x80), self._last
        is_same = last is not None and code == last[0] and duration >= last[1]
        self._last = (code, duration, has_ended)
        if is_same and has_ended and last is not None and last[2]:
            return None
        return DIGITS[code], timestamp // 8, duration // 8, has_ended


@pytest.mark.parametrize(("press", "may_lose"), [(whole, False), (zero_duration, True), (only_ends, True)])
@given(st.text("0123456789*#", min_size=1, max_size=12), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_what_comes_between_our_look_and_pjmedias_is_one_key_all_the_same(
    press: object, may_lose: bool, number: str, begins: int, luck: random.Random
) -> None:
    assert callable(press)
    packets = [packet for at, digit in enumerate(number) for packet in press(digit, begins + 1600 * at)]
    reader, pjmedia, heard = EventPackets(), Pjmedia(), ""
    while packets:
        size = luck.randint(1, 4)
        round_, packets = packets[:size], packets[size:]
        # at least one packet of a round is what woke the loop, the others may come after the look
        for packet in round_[: luck.randint(1, len(round_))]:
            heard += reader.digit_of(packet) or ""
        for packet in round_:
            told = pjmedia.tells(packet)
            heard += (reader.told(*told[:3], has_ended=told[3]) or "") if told else ""
    assert heard == number if not may_lose else is_within(heard, number)


def is_within(heard: str, number: str) -> bool:
    """Tell whether `heard` is `number` with at most some keys missing: none doubled, none out of order."""
    rest = iter(number)
    return all(digit in rest for digit in heard)
