"""Keys and comfort noise as a packet capture that SIPp can play, each packet as RFC 4733 and RFC 3389 want it.

SIPp's own capture of keys has timestamps of another call; here they run with the clock of the stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

EVENTS = {digit: code for code, digit in enumerate("0123456789*#ABCD")}
PAYLOAD_TYPE = 101
_COMFORT_NOISE, _NOISE_LEVEL, _NOISE_EVERY_MS = 13, 78, 200  # RFC 3551 table 4; -78 dBov; as gateways send it
_PACKET_MS = 20
_SAMPLES = 8 * _PACKET_MS
_SSRC = 0x12345
_VOLUME = 10


def key_packets(keys: str, key_ms: int = 160, gap_ms: int = 240, payload_type: int = PAYLOAD_TYPE,
                ) -> Iterator[tuple[float, bytes]]:
    """Yield (second, RTP packet) for each packet of the keys pressed one after the other."""
    sequence = 1
    for place, digit in enumerate(keys):
        start_ms = place * (key_ms + gap_ms)
        timestamp = 8 * start_ms  # of the key's begin, the same in all of its packets: RFC 4733 2.3
        count = key_ms // _PACKET_MS
        # RFC 4733 2.5.1.4: the end packet is sent three times
        for packet in range(count + 2):
            is_last = packet >= count - 1
            duration = min(packet + 1, count) * _SAMPLES
            marked_type = payload_type | (0x80 if packet == 0 else 0)
            header = struct.pack("!BBHII", 0x80, marked_type, sequence, timestamp, _SSRC)
            event = struct.pack("!BBH", EVENTS[digit], (0x80 if is_last else 0) | _VOLUME, duration)
            yield (start_ms + packet * _PACKET_MS) / 1000, header + event
            sequence += 1


def noise_packets(after: str, lasts_s: int) -> Iterator[tuple[float, bytes]]:
    """Yield what a phone that suppresses silence sends when its keys are pressed and nobody speaks."""
    sequence = 1 + sum(1 for _ in key_packets(after))
    begins_ms = round(1000 * max(second for second, _ in key_packets(after))) + _NOISE_EVERY_MS
    for place, at_ms in enumerate(range(begins_ms, begins_ms + 1000 * lasts_s, _NOISE_EVERY_MS)):
        header = struct.pack("!BBHII", 0x80, _COMFORT_NOISE, sequence + place, 8 * at_ms, _SSRC)
        yield at_ms / 1000, header + bytes((_NOISE_LEVEL,))


def write_capture(path: Path, packets: Iterable[tuple[float, bytes]]) -> Path:
    """Write (second, RTP packet) as a pcap file (Ethernet, IPv4, UDP); SIPp puts in the addresses of its call."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for second, rtp in packets:
            frame = _frame(rtp)
            whole = int(second)
            out.write(struct.pack("<IIII", whole, round((second - whole) * 1e6), len(frame), len(frame)))
            out.write(frame)
    return path


def _frame(rtp: bytes) -> bytes:
    udp = struct.pack("!HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
    loopback = bytes((127, 0, 0, 1))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, loopback, loopback)
    return bytes(12) + b"\x08\x00" + ip + udp
