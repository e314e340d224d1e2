"""Keys in the sound: two tones of a keypad are a key, however old the phone; a voice is none."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from ivr.line.tone_keys import BLOCK, ToneKeys, decoder

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"


def tones(digit: str, ms: int, *, off: float = 0.0, twist: float = 1.0, amplitude: float = 6000) -> list[float]:
    """Return the sound of a key, its tones `off` by so much and the second `twist` times as loud."""
    at = KEYS.index(digit)
    pair = ((ROWS[at // 4] * (1 + off), amplitude), (COLUMNS[at % 4] * (1 + off), amplitude * twist))
    return [sum(loud * math.sin(2 * math.pi * hz * n / 8000) for hz, loud in pair) for n in range(ms * 8)]


def keys(sound: Sequence[float]) -> str:
    listener, whole = ToneKeys(), [int(sample) for sample in sound]
    blocks = (whole[at : at + BLOCK] for at in range(0, len(whole) - BLOCK + 1, BLOCK))
    return "".join(listener.digit_of(block) or "" for block in blocks)


@pytest.mark.parametrize("digit", KEYS)
def test_a_key_is_heard_once_wherever_its_blocks_begin(digit: str) -> None:
    luck = random.Random(digit)
    for off in (-0.015, 0.0, 0.015):
        for twist in (0.5, 1.0, 2.0):
            pause = [0.0] * (800 + luck.randrange(BLOCK))
            sound = pause + tones(digit, 60, off=off, twist=twist) + pause + tones(digit, 400, off=off) + pause
            assert keys([sample + luck.gauss(0, 100) for sample in sound]) == digit * 2


@pytest.mark.parametrize(
    "sound",
    [
        [0.0] * 4000,
        tones("5", 200, amplitude=20),  # cross-talk
        tones("5", 20) + [0.0] * 400,  # a click
        [3000 * math.sin(2 * math.pi * 450 * n / 8000) for n in range(4000)],  # the ringing tone of China
        [3000 * math.sin(2 * math.pi * 770 * n / 8000) for n in range(4000)],  # one tone alone
        [sum(3000 * math.sin(2 * math.pi * 110 * h * n / 8000) / h for h in range(1, 20)) for n in range(8000)],
        [a + b for a, b in zip(tones("1", 200), tones("9", 200), strict=True)],
    ],
    ids=["silence", "cross-talk", "a click", "ringing", "one tone", "a voice", "two keys"],
)
def test_what_is_no_key_presses_none(sound: list[float]) -> None:
    assert keys(sound) == ""


def test_noise_presses_no_key() -> None:
    luck = random.Random(12345)
    assert keys([luck.gauss(0, 6000) for _ in range(8000 * 20)]) == ""


def test_both_laws_of_g_711_are_decoded() -> None:
    # ITU-T G.711: the largest values, the smallest, and the sign
    a_law, u_law = decoder("A"), decoder("u")
    assert (a_law[0xAA], a_law[0x2A], a_law[0xD5], a_law[0x55]) == (32256, -32256, 8, -8)
    assert (u_law[0x80], u_law[0x00], u_law[0xFF], u_law[0x7F]) == (32124, -32124, 0, 0)
    assert len({*a_law}) == 256
