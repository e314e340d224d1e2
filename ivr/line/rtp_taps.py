"""The RTP sockets of the legs, looked into before pjmedia reads them: it tells less of keys than their packets do."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from ivr.line.event_packets import EventPackets
from ivr.line.tone_keys import BLOCK, ToneKeys, decoder

SO_PEEK_OFF = 42  # asm-generic/socket.h; Python has no name for it
_LARGEST_EVENT = 64  # header, sources, a small extension, four bytes: what is longer is sound
# The kernel goes on where a look ended: one that reads half a packet would take the rest for the next.
_buffer = bytearray(65536)
_MOST_IN_A_LOOK = 64
_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_DECODERS = {8: decoder("A"), 0: decoder("u")}


class Tap:
    """One leg's RTP socket. The descriptor is pjmedia's: it is never closed here.

    With `by_tones` the leg has agreed upon no telephone-event, and its keys are looked for in its sound.
    """

    def __init__(self, descriptor: int, *, by_tones: bool = False) -> None:
        self.descriptor = descriptor
        self._keys = EventPackets()
        self._tones = ToneKeys() if by_tones else None
        self._sound: list[int] = []
        self._owner: object = None
        self.packets = 0
        self._socket = socket.socket(fileno=descriptor)
        # each look begins after what was seen in the one before, until that is read
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)

    def look(self) -> list[str]:
        """Return the keys in packets that have come in since the last look; nothing is taken from pjmedia."""
        digits: list[str] = []
        for _ in range(_MOST_IN_A_LOOK):
            try:
                size, source = self._socket.recvfrom_into(_buffer, 0, _LOOK)
            except OSError:
                break
            self.packets += 1
            if size >= _LARGEST_EVENT:
                self._owner = self._owner or source
                if self._tones is not None and source == self._owner:
                    digits += self._in_sound(bytes(_buffer[:size]))
            elif source == (self._owner or source):
                digit = self._keys.digit_of(bytes(_buffer[:size]))
                if digit is not None:
                    self._owner = source
                    digits.append(digit)
        return digits

    def _in_sound(self, packet: bytes) -> list[str]:
        decode = _DECODERS.get(packet[1] & 0x7F)
        if decode is None or self._tones is None:
            return []
        self._sound += [decode[code] for code in packet[12 + 4 * (packet[0] & 0x0F) :]]
        digits = []
        while len(self._sound) >= BLOCK:
            digit = self._tones.digit_of(self._sound[:BLOCK])
            del self._sound[:BLOCK]
            if digit is not None:
                digits.append(digit)
        return digits

    def let_go(self) -> None:
        """Forget the descriptor without closing it."""
        self._socket.detach()


class RtpTaps:
    """The taps of all legs with sound; `on_key(leg_id, digit)` hears each press once."""

    def __init__(self, on_key: Callable[[int, str], None]) -> None:
        self._on_key = on_key
        self._taps: dict[int, Tap] = {}

    def packets(self, leg: int) -> int:
        """Return how many RTP packets of any kind have come from a leg since its sound came up, or last changed."""
        tap = self._taps.get(leg)
        return tap.packets if tap is not None else 0

    @property
    def descriptors(self) -> set[int]:
        """The RTP sockets of this moment."""
        return {tap.descriptor for tap in self._taps.values()}

    def set(self, leg: int, port: int | None, *, by_tones: bool = False) -> None:
        """A leg's sound has come up, changed or gone: its RTP is received at the local `port`."""
        tap = self._taps.pop(leg, None)
        if tap is not None:
            tap.let_go()
        descriptor = _bound_to(port) if port else None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._taps[leg] = Tap(descriptor, by_tones=by_tones)

    def look(self) -> None:
        """Tell the keys that have come in."""
        for leg, tap in self._taps.items():
            for digit in tap.look():
                self._on_key(leg, digit)


def _bound_to(port: int) -> int | None:
    """Return the descriptor of this process's UDP socket at a local port."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, ValueError, IndexError, TypeError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            end = socket.socket(fileno=int(name))
            try:
                if end.type == socket.SOCK_DGRAM and end.getsockname()[1] == port:
                    return int(name)
            finally:
                end.detach()
    return None
