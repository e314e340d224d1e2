"""Tones and hold music, made by arithmetic: nobody has rights in them; used in the speech worker only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ivr.speech.wave import RATE_HZ, Samples, level_dbfs

_MUSIC_DBFS = -24.0  # below speech: a word said over it is clearly nearer
_CHORDS = (  # MIDI notes, all above 300 Hz, where the telephone begins
    (64, 67, 72, 76), (64, 69, 72, 76), (65, 69, 72, 77), (67, 71, 74, 79),
    (64, 67, 72, 76), (64, 69, 71, 76), (65, 69, 74, 77), (67, 71, 74, 79),
)  # fmt: skip
_ARPEGGIO = (0, 2, 1, 3, 2, 1, 2, 3)
_MELODY = (84, 83, 79, 76, 81, 79, 77, 74, 79, 76, 81, 83, 77, 81, 79, 79)  # one note every half chord
_BEAT_S = 0.45


def beep() -> Samples:
    """Return the tone after which a message is recorded: 1 kHz, 0.4 s (no DTMF, no fax tone)."""
    return _tone(1000, 0.4, -15)


def joined() -> Samples:
    """Return two rising notes: somebody has joined."""
    return np.concatenate([_tone(660, 0.12, -18), np.zeros(400), _tone(880, 0.16, -18), np.zeros(400)])


def music() -> Samples:
    """Return a quiet loop of 28.8 s; its end runs into its beginning without a seam."""
    chord_s = _BEAT_S * len(_ARPEGGIO)
    loop = np.zeros(round(chord_s * len(_CHORDS) * RATE_HZ))
    for turn, chord in enumerate(_CHORDS):
        for beat, step in enumerate(_ARPEGGIO):
            _strike(loop, chord[step], turn * chord_s + beat * _BEAT_S, loudness=0.5, fade_s=0.7)
        for half in (0, 1):
            _strike(loop, _MELODY[2 * turn + half], turn * chord_s + half * chord_s / 2, loudness=0.8, fade_s=1.3)
    return loop * 10 ** ((_MUSIC_DBFS - level_dbfs(loop)) / 20)


def _tone(frequency_hz: float, length_s: float, tone_dbfs: float) -> Samples:
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    edge = np.clip(np.minimum(t, length_s - t) / 0.01, 0, 1)  # 10 ms up and down: no click
    wave = np.asarray(np.sin(2 * np.pi * frequency_hz * t) * edge, dtype=np.float64)
    return wave * 10 ** (tone_dbfs / 20) * 2**0.5


def _strike(loop: Samples, note: int, start_s: float, loudness: float, fade_s: float) -> None:
    """Add a struck note; what rings on beyond the end of the loop rings at its beginning."""
    frequency_hz = 440 * 2 ** ((note - 69) / 12)
    t = np.arange(round(5 * fade_s * RATE_HZ)) / RATE_HZ
    ring = sum(share * np.sin(2 * np.pi * n * frequency_hz * t) for n, share in ((1, 1.0), (2, 0.25), (3, 0.06)))
    ring = ring * np.exp(-t / fade_s) * np.minimum(1, t / 0.012)
    where = (round(start_s * RATE_HZ) + np.arange(len(t))) % len(loop)
    np.add.at(loop, where, loudness * ring)


TONES: dict[str, Callable[[], Samples]] = {"beep": beep, "joined": joined, "music": music}
