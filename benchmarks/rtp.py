"""The sound of the load generator's phones: a socket for each, a frame every 20 ms, and all that arrives is read."""

from __future__ import annotations

import contextlib
import math
import random
import socket
import struct
import time
from collections import deque

FRAME_S = 0.02
SLOTS = 10
SLOT_S = FRAME_S / SLOTS
_FRAME_SAMPLES = 160
_PCMA, KEYS_TYPE = 8, 101
_EVENTS = "0123456789*#"
# a key is pressed for 100 ms, and its end is told three times (RFC 4733 2.5.1.4)
_KEY_FRAMES, _KEY_ENDS, _PAUSE_FRAMES = 5, 3, 3


def _a_law(sample: int) -> int:
    """Return one 16-bit sample as G.711 A-law (ITU-T G.711)."""
    sign, magnitude = (0xD5, sample >> 3) if sample >= 0 else (0x55, (-sample - 1) >> 3)
    segment = max(0, magnitude.bit_length() - 5)
    mantissa = (magnitude >> max(1, segment)) & 0x0F
    return (segment << 4 | mantissa) ^ sign


def _tone(frequency_hz: int) -> bytes:
    """Return 20 ms of a tone that joins itself without a click: a multiple of 50 Hz."""
    return bytes(
        _a_law(round(8000 * math.sin(2 * math.pi * frequency_hz * at / 8000))) for at in range(_FRAME_SAMPLES)
    )


_TONES = [_tone(hz) for hz in range(300, 1300, 50)]


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return sockets on an even port and the odd one above it, as RTP and RTCP want them (RFC 3550 11)."""
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind(("127.0.0.1", 0))
        port: int = first.getsockname()[1]
        with contextlib.suppress(OSError):
            second.bind(("127.0.0.1", port ^ 1))
            return (second, first) if port % 2 else (first, second)
        first.close()
        second.close()


class Stream:
    """RTP of one leg. `sent` and `received` count packets; `refused` counts ICMP port unreachable."""

    _inbox = bytearray(2048)

    def __init__(self) -> None:
        # nobody reads RTCP, one report in five seconds; but its port is open, so no ICMP comes of it
        self._socket, self._rtcp = _socket_pair()
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.sent = self.received = self.refused = 0
        self._sequence, self._timestamp = random.getrandbits(15), random.getrandbits(31)
        self._packet = bytearray(struct.pack(">BBHII", 0x80, _PCMA, 0, 0, random.getrandbits(32)))
        self._packet += random.choice(_TONES)
        self.key_sent_at = 0.0
        self._key_timestamp = 0
        self._key_packets: deque[tuple[int, int, int, int] | None] = deque()
        self._keys_type = KEYS_TYPE
        self._is_open = False

    def connect(self, host: str, port: int, keys_type: int) -> None:
        """Send to this address from now on, keys with this payload type, and hear nobody else."""
        self._socket.connect((host, port))
        self._keys_type = keys_type
        self._is_open = True

    def press(self, keys: str) -> None:
        """Send keys by RFC 4733 from the next frame on; `key_sent_at` is when the latest began."""
        for key in keys:
            for frame in range(1, _KEY_FRAMES + _KEY_ENDS + 1):
                is_end = frame > _KEY_FRAMES
                duration = min(frame, _KEY_FRAMES) * _FRAME_SAMPLES
                self._key_packets.append((_EVENTS.index(key), int(is_end), duration, int(frame == 1)))
            self._key_packets.extend([None] * _PAUSE_FRAMES)

    def tick(self) -> None:
        """Read what has arrived, and send the next frame."""
        read, inbox = self._socket.recv_into, self._inbox
        try:
            while True:
                read(inbox)
                self.received += 1
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            self.refused += 1
        if self._is_open:
            self._send()

    def _send(self) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + _FRAME_SAMPLES) & 0xFFFFFFFF
        key = self._key_packets.popleft() if self._key_packets else None
        packet: bytes | bytearray = self._packet
        if key is None:
            struct.pack_into(">HI", packet, 2, self._sequence, self._timestamp)
        else:
            packet = self._key_packet(*key)
        try:
            self._socket.send(packet)
            self.sent += 1
        except (BlockingIOError, ConnectionRefusedError):
            self.refused += 1

    def _key_packet(self, event: int, is_end: int, duration: int, is_first: int) -> bytes:
        if is_first:
            self._key_timestamp = self._timestamp
            self.key_sent_at = time.time()
        head = struct.pack(">BBHI", 0x80, is_first << 7 | self._keys_type, self._sequence, self._key_timestamp)
        return head + bytes(self._packet[8:12]) + struct.pack(">BBH", event, is_end << 7 | 10, duration)

    def close(self) -> None:
        """Close both ports."""
        self._is_open = False
        self._socket.close()
        self._rtcp.close()


class Wheel:
    """Ticks every stream once in 20 ms, a tenth of them every 2 ms, as phones do that know nothing of each other."""

    def __init__(self) -> None:
        self._slots: list[list[Stream]] = [[] for _ in range(SLOTS)]
        self._next = 0
        self.next_at = 0.0
        self.latest_s = 0.0

    def add(self, stream: Stream) -> None:
        """Tick this stream too."""
        min(self._slots, key=len).append(stream)

    def remove(self, stream: Stream) -> None:
        """Tick it no more."""
        for slot in self._slots:
            if stream in slot:
                slot.remove(stream)

    def turn(self, now: float) -> None:
        """Tick what is due at `now` (monotonic seconds); what is overdue is made up for, as phones would have sent."""
        if now - self.next_at > 1.0:
            self.next_at = now
        self.latest_s = max(self.latest_s, now - self.next_at)
        while self.next_at <= now:
            for stream in self._slots[self._next]:
                stream.tick()
            self._next = (self._next + 1) % SLOTS
            self.next_at += SLOT_S
