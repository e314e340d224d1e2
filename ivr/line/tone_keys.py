"""Keys in the sound itself (ITU-T Q.23, Q.24), for phones that send none beside it; pure.

Old gateways and some PBX agree upon no telephone-event, and their keys come as two tones. Strict rather than keen: a
voice must never press a key, and whoever is not understood hears the menu again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SAMPLE_RATE = 8000
BLOCK = 160  # samples: 20 ms, one packet
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_LOOSE = (0.987, 1.013)  # Q.24: a tone may be 1.5 % off; a block of 20 ms tells 50 Hz apart
_LEAST_LEVEL = 200.0  # mean amplitude: about -45 dBm0, Q.24 asks for -25
_LEAST_SHARE = 0.72  # of the block's energy in the two tones; a voice has harmonics
_MOST_TWIST = 8.0  # one tone may have so many times the energy of the other (9 dB)
_OTHERS = 4.0  # the next tone of a group must have so many times less energy
_BLOCKS_FOR_A_KEY = 2  # Q.24: 40 ms and more are a key
_BLOCKS_FOR_A_PAUSE = 2


class ToneKeys:
    """The presses in the sound of one leg, fed block by block."""

    def __init__(self) -> None:
        self._candidate: str | None = None
        self._seen = self._missing = 0
        self._pressed: str | None = None

    def digit_of(self, samples: Sequence[int]) -> str | None:
        """Return the key that this block of samples proves, once for each press; None otherwise."""
        digit = two_tones(samples)
        if self._pressed is not None:
            if digit == self._pressed:
                self._missing = 0
                return None
            self._missing += 1
            if self._missing < _BLOCKS_FOR_A_PAUSE:
                return None
            self._pressed = None
        self._seen = self._seen + 1 if digit is not None and digit == self._candidate else int(digit is not None)
        self._candidate = digit
        if digit is None or self._seen < _BLOCKS_FOR_A_KEY:
            return None
        self._pressed, self._missing, self._seen = digit, 0, 0
        return digit


def two_tones(samples: Sequence[int]) -> str | None:
    """Return the key whose two tones make up a block of samples; None for silence, voice and all else."""
    energy = sum(sample * sample for sample in samples)
    if energy < _LEAST_LEVEL**2 * len(samples):
        return None
    # a sine of amplitude a has the energy a²n/2, and the power (an/2)²
    whole = len(samples) * energy / 2
    rows = [_power(samples, tone) for tone in _ROWS]
    columns = [_power(samples, tone) for tone in _COLUMNS]
    row_at, column_at = rows.index(max(rows)), columns.index(max(columns))
    if rows[row_at] + columns[column_at] < _LEAST_SHARE / 2 * whole:
        return None
    row = max(rows[row_at], *(_power(samples, _ROWS[row_at] * loose) for loose in _LOOSE))
    column = max(columns[column_at], *(_power(samples, _COLUMNS[column_at] * loose) for loose in _LOOSE))
    if row + column < _LEAST_SHARE * whole or not 1 / _MOST_TWIST < row / column < _MOST_TWIST:
        return None
    if sorted(rows)[-2] * _OTHERS > row or sorted(columns)[-2] * _OTHERS > column:
        return None
    return _KEYS[row_at][column_at]


def _power(samples: Sequence[int], tone: float) -> float:
    """Return the power at a frequency in Hz, by Goertzel's algorithm."""
    factor, before, last = 2 * math.cos(2 * math.pi * tone / SAMPLE_RATE), 0.0, 0.0
    for sample in samples:
        before, last = last, sample + factor * last - before
    return before * before + last * last - factor * before * last


def decoder(law: str) -> tuple[int, ...]:
    """Return the 16-bit sample of each byte of G.711, `law` being A or u."""
    return tuple(_a_law(code) if law == "A" else _u_law(code) for code in range(256))


def _a_law(code: int) -> int:
    code ^= 0x55
    exponent, step = (code >> 4) & 7, ((code & 15) << 4) + 8
    value = step if exponent == 0 else (step + 256) << (exponent - 1)
    return value if code & 0x80 else -value


def _u_law(code: int) -> int:
    code = ~code & 0xFF
    value = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return -value if code & 0x80 else value
