"""The RTP sockets of the legs, looked into before pjmedia reads them: keys, signs of life, and who may send.

pjmedia sends its sound to whoever has sent it ten packets, so a stranger who finds the port would hear a caller who is
silent, and press keys for them. A connected UDP socket is filtered by the kernel: the first who talks from the address
that SDP named has the leg, and nobody else until SDP names another.
"""

from __future__ import annotations

import contextlib
import ctypes
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
# Behind some gateways sound comes from another host than SDP names: from it alone, and for half a second.
_STRANGERS_FOR_AN_OWNER = 25
_AF_UNSPEC = bytes(16)
_libc = ctypes.CDLL(None, use_errno=True)
_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_DECODERS = {8: decoder("A"), 0: decoder("u")}


class Tap:
    """One leg's RTP socket. The descriptor is pjmedia's: it is never closed here. `named` is the host in its SDP.

    With `by_tones` the leg has agreed upon no telephone-event, and its keys are looked for in its sound.
    """

    def __init__(self, descriptor: int, named: tuple[str, int], *, by_tones: bool = False) -> None:
        self.descriptor, self.named = descriptor, named
        self.packets = 0
        self._keys = EventPackets()
        self._tones = ToneKeys() if by_tones else None
        self._sound: list[int] = []
        self._owner: tuple[str, int] | None = None
        self._strangers: dict[tuple[str, int], int] = {}
        self._socket = socket.socket(fileno=descriptor)
        # each look begins after what was seen in the one before, until that is read
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)
        self._unlock()  # whom it was locked to before belongs to another SDP

    def look(self) -> list[str]:
        """Return the keys in packets that have come in since the last look; nothing is taken from pjmedia."""
        digits: list[str] = []
        for _ in range(_MOST_IN_A_LOOK):
            try:
                size, source = self._socket.recvfrom_into(_buffer, 0, _LOOK)
            except OSError:
                break
            if source != self._owner and not self._takes(source):
                continue
            self.packets += 1
            if size < _LARGEST_EVENT:
                digit = self._keys.digit_of(bytes(_buffer[:size]))
                digits += [digit] if digit is not None else []
            elif self._tones is not None:
                digits += self._in_sound(bytes(_buffer[:size]))
        return digits

    def told(self, digit: str, at_ms: int, duration_ms: int, *, has_ended: bool) -> bool:
        """Tell whether pjmedia has read a press that was not seen here: it came between our look and its own."""
        return self._keys.told(digit, at_ms, duration_ms, has_ended=has_ended) is not None

    def _unlock(self) -> None:
        here = self._socket.getsockname()
        _libc.connect(self.descriptor, _AF_UNSPEC, len(_AF_UNSPEC))
        if self._socket.getsockname()[1] == 0:  # a port that the system had chosen is given up with the connection
            self._socket.bind(here)

    def _takes(self, source: tuple[str, int]) -> bool:
        """Lock the socket to a source, if it is the one to talk on this leg; tell whether it is."""
        if self._owner is not None:
            return False
        if source[0] != self.named[0]:
            if len(self._strangers) < _MOST_IN_A_LOOK:
                self._strangers[source] = self._strangers.get(source, 0) + 1
            if self._strangers.get(source, 0) < _STRANGERS_FOR_AN_OWNER:
                return False
        self._owner = source
        with contextlib.suppress(OSError):
            self._socket.connect(source)
        return True

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

    def of(self, leg: int) -> Tap | None:
        """Return the tap of a leg; None where its socket was not found."""
        return self._taps.get(leg)

    @property
    def descriptors(self) -> set[int]:
        """The RTP sockets of this moment."""
        return {tap.descriptor for tap in self._taps.values()}

    def set(self, leg: int, port: int | None, named: tuple[str, int] = ("", 0), *, by_tones: bool = False) -> None:
        """A leg's sound has come up, changed or gone: it is received at the local `port`, from whom SDP has `named`."""
        descriptor = _bound_to(port) if port else None
        tap = self._taps.get(leg)
        if tap is not None and (tap.descriptor, tap.named) == (descriptor, named):
            return  # the same talk goes on, and its owner stays
        if tap is not None:
            del self._taps[leg]
            tap.let_go()
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._taps[leg] = Tap(descriptor, named, by_tones=by_tones)

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
