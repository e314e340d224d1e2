"""Ports of 127.0.0.1 that only this test process gives out: a block for SIP and all else, and one for RTP.

Both lie below the ports that the kernel gives to whoever asks for any (32,768 and up), so that nobody takes a port
between being found free and being bound. And since services of two test processes never talk from the same ports, none
hears what a call of another was still sending.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from functools import cache

_FIRST, _FIRST_RTP = 20_000, 10_000
_BLOCK, _BLOCKS = 500, 20


class _Block:
    """The ports of this process; it keeps the first of them bound, so that the next process takes other ones."""

    def __init__(self) -> None:
        for number in range(_BLOCKS):
            self._holder = socket.socket()
            first = _FIRST + number * _BLOCK
            try:
                self._holder.bind(("127.0.0.1", first))
            except OSError:
                self._holder.close()
                continue
            self.first_rtp = _FIRST_RTP + number * _BLOCK
            self._next: Iterator[int] = itertools.cycle(range(first + 1, first + _BLOCK))
            return
        raise RuntimeError(f"{_BLOCKS} test processes have taken all blocks of ports from {_FIRST} on")

    def free(self) -> int:
        """Return the next port in turn that is free for UDP and TCP."""
        for port in itertools.islice(self._next, _BLOCK):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
                try:
                    udp.bind(("127.0.0.1", port))
                    tcp.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise RuntimeError("no port of this test process is free")


@cache
def _block() -> _Block:
    return _Block()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free for UDP and TCP, and that no other test process will take."""
    return _block().free()


def rtp_ports() -> dict[str, int]:
    """Return the settings `rtp_port` and `rtp_port_range` of a service, or of a line, of this process."""
    return {"rtp_port": _block().first_rtp, "rtp_port_range": _BLOCK}
