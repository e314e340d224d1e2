"""The RTP sockets of the legs, looked into before pjmedia reads them: it tells less of keys than their packets do."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from ivr.line.event_packets import EventPackets

SO_PEEK_OFF = 42  # asm-generic/socket.h; Python has no name for it
_LARGEST_EVENT = 64  # header, sources, a small extension, four bytes: what is longer is sound
_MOST_IN_A_LOOK = 64


class Tap:
    """One leg's RTP socket. The descriptor is pjmedia's: it is never closed here."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._keys = EventPackets()
        self._owner: object = None
        self._socket = socket.socket(fileno=descriptor)
        # each look begins after what was seen in the one before, until that is read
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)

    def look(self) -> list[str]:
        """Return the keys in packets that have come in since the last look; nothing is taken from pjmedia."""
        digits: list[str] = []
        for _ in range(_MOST_IN_A_LOOK):
            try:
                packet, source = self._socket.recvfrom(_LARGEST_EVENT, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:
                break
            if len(packet) == _LARGEST_EVENT:
                self._owner = self._owner or source
            elif source == (self._owner or source) and (digit := self._keys.digit_of(packet)) is not None:
                self._owner = source
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
        self._ports: dict[int, int] = {}

    @property
    def descriptors(self) -> set[int]:
        """The RTP sockets of this moment."""
        return {tap.descriptor for tap in self._taps.values()}

    def set(self, leg: int, port: int | None) -> None:
        """A leg's sound has come up, changed or gone: its RTP is received at the local `port`."""
        tap = self._taps.pop(leg, None)
        if tap is not None:
            tap.let_go()
        descriptor = _bound_to(port) if port else None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._taps[leg] = Tap(descriptor)

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
