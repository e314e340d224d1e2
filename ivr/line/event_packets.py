"""Keys in RTP: one press is one key, whatever of its packets arrives (RFC 4733); pure.

pjmedia tells keys apart by digit and duration, so the second of two equal digits is lost when only their last packets
arrive, and it hears one payload number only. Here the RTP timestamp tells them apart (2.5.2.2), and any dynamic number
counts: of what a leg may send nothing else has four bytes.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("!BBHII")  # RFC 3550 5.1
_EVENT = struct.Struct("!BBH")  # RFC 4733 2.3
_DIGITS = "0123456789*#ABCD"
_END = 0x80
# Some gateways move the timestamp with each packet of one press. Two presses of a person, or of a machine by ITU-T
# Q.24, begin at least 80 ms apart.
_SAME_PRESS = 480  # 60 ms at 8000 Hz
_HALF = 1 << 31
_PER_MS = 8


class EventPackets:
    """The presses in the RTP packets of one leg."""

    def __init__(self) -> None:
        self._ssrc: int | None = -1  # None: whoever sends next; pjmedia tells none
        self._digit = ""
        self._timestamp = self._duration = 0
        self._has_ended = False

    def digit_of(self, packet: bytes) -> str | None:
        """Return the key whose first packet this is; None for its later packets, and for all other packets."""
        event = _read(packet)
        if event is None:
            return None
        return self._press(*event)

    def told(self, digit: str, at_ms: int, duration_ms: int, *, has_ended: bool) -> str | None:
        """Return a key that pjmedia tells of a packet which was not seen here; None if its press is known.

        `at_ms` is the RTP timestamp in milliseconds, as pjmedia gives it.
        """
        return self._press(None, at_ms * _PER_MS, digit, duration_ms * _PER_MS, has_ended)

    def _press(self, ssrc: int | None, timestamp: int, digit: str, duration: int, has_ended: bool) -> str | None:
        ahead = (timestamp - self._timestamp) % (1 << 32)
        if self._digit and (ssrc == self._ssrc or None in (ssrc, self._ssrc)):
            if ahead >= _HALF:
                return None  # of a press before, which was overtaken; or of this one, cut to milliseconds
            if digit == self._digit and (ahead <= _SAME_PRESS or self._goes_on(ahead)):
                self._ssrc = self._ssrc if ssrc is None else ssrc
                self._timestamp, self._duration = timestamp, duration
                self._has_ended = has_ended
                return None
        self._ssrc, self._timestamp, self._digit = ssrc, timestamp, digit
        self._duration, self._has_ended = duration, has_ended
        return digit

    def _goes_on(self, ahead: int) -> bool:
        """Tell whether a key held for more than eight seconds goes on in a new segment (RFC 4733 2.5.1.3)."""
        return not self._has_ended and self._duration > 0xF000 and abs(ahead - self._duration) < 0x1000


def _read(packet: bytes) -> tuple[int, int, str, int, bool] | None:
    """Return source, timestamp, digit, duration and whether it is the end of an event packet; None for others."""
    if len(packet) < 16 or packet[0] >> 6 != 2:
        return None
    first, second, _sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    if second & 0x7F < 96:
        return None
    at = 12 + 4 * (first & 0x0F)
    if first & 0x10 and len(packet) >= at + 4:
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    end = len(packet) - (packet[-1] if first & 0x20 else 0)
    if end - at != _EVENT.size:
        return None
    event, flags, duration = _EVENT.unpack_from(packet, at)
    if event >= len(_DIGITS):
        return None
    return ssrc, timestamp, _DIGITS[event], duration, bool(flags & _END)
