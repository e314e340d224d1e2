"""Tones that tell who hears whom: each party plays its own, and a recording is searched for all of them."""

from __future__ import annotations

import math
import sys
import wave
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLE_RATE = 8000
FULL_SCALE = 32767
SILENCE_DB = -120.0
# whole hertz, no multiples of each other, and none near a frequency of the telephone keys (697 to 1633 Hz)
TONES_HZ = (430, 520, 610, 1060, 1150, 1810, 1930, 2090, 2230)


class UnreadableRecording(ValueError):
    """The file is no 8 kHz, 16-bit, mono WAV file, or holds no sound in the window asked for."""


def write_tone(path: Path, tone_hz: int, level_db: float = -15.0, duration_s: int = 30) -> Path:
    """Write a sine of `tone_hz` at `level_db` (0 = full scale) that can be looped without a click; return `path`."""
    amplitude = FULL_SCALE * 10 ** (level_db / 20)
    second = array(
        "h", (round(amplitude * math.sin(2 * math.pi * tone_hz * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE))
    )
    if sys.byteorder == "big":
        second.byteswap()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(second.tobytes() * duration_s)
    return path


def read_samples(path: Path, start_s: float = 0.0, duration_s: float | None = None) -> array[int]:
    """Return the samples of a WAV file from `start_s` (below zero: from its end), raises UnreadableRecording."""
    try:
        with wave.open(str(path), "rb") as recording:
            shape = (recording.getframerate(), recording.getsampwidth(), recording.getnchannels())
            if shape != (SAMPLE_RATE, 2, 1):
                raise UnreadableRecording(f"{path}: (rate, sample width, channels) is {shape}")
            length = recording.getnframes()
            start = round(start_s * SAMPLE_RATE) + (length if start_s < 0 else 0)
            start = min(max(start, 0), length)
            recording.setpos(start)
            count = length if duration_s is None else round(duration_s * SAMPLE_RATE)
            samples = array("h", recording.readframes(count))
    except (OSError, EOFError, wave.Error) as wrong:
        raise UnreadableRecording(f"{path}: {wrong}") from wrong
    if sys.byteorder == "big":
        samples.byteswap()
    if not samples:
        raise UnreadableRecording(f"{path}: no sound between {start_s} s and {duration_s} s after it")
    return samples


def level_db(samples: array[int], tone_hz: float) -> float:
    """Return how loud one tone is in `samples`, in dB below a full-scale sine (-120 at the least).

    Goertzel's algorithm under a Hann window, so that a loud neighbour 40 Hz away does not leak in.
    """
    count = len(samples)
    coefficient = 2 * math.cos(2 * math.pi * tone_hz / SAMPLE_RATE)
    step = 2 * math.pi / count
    last = before = 0.0
    for n, sample in enumerate(samples):
        last, before = sample * (0.5 - 0.5 * math.cos(step * n)) + coefficient * last - before, last
    power = last * last + before * before - coefficient * last * before
    amplitude = 4 * math.sqrt(max(power, 0.0)) / count  # 2/N for a sine, and again 2 for the mean of the window
    return max(20 * math.log10(amplitude / FULL_SCALE), SILENCE_DB) if amplitude > 0 else SILENCE_DB


def tone_levels(path: Path, tones_hz: Mapping[str, int], start_s: float = 0.0,
                duration_s: float | None = None) -> dict[str, float]:
    """Return the level in dB of each named tone within a window of a recording."""
    samples = read_samples(path, start_s, duration_s)
    return {name: level_db(samples, tone_hz) for name, tone_hz in tones_hz.items()}


@dataclass(frozen=True, slots=True)
class AudioMatrix:
    """Who hears whom: `levels_db[listener][speaker]`; a party's own entry is what returns of its own voice."""

    levels_db: Mapping[str, Mapping[str, float]]

    def margin_db(self, listener: str) -> float:
        """Return by how many dB the faintest other party is louder, to `listener`, than its own return."""
        heard = self.levels_db[listener]
        return min(level for speaker, level in heard.items() if speaker != listener) - heard[listener]

    def hears(self, listener: str, speaker: str, floor_db: float = -35.0) -> bool:
        """Tell whether the speaker's tone arrives at all, louder than `floor_db`."""
        return self.levels_db[listener][speaker] >= floor_db

    def all_hear_each_other(self, margin_db: float = 20.0, floor_db: float = -35.0) -> bool:
        """Tell whether each party hears every other one, `margin_db` or more above its own return."""
        return all(
            self.margin_db(listener) >= margin_db
            and all(self.hears(listener, speaker, floor_db) for speaker in heard if speaker != listener)
            for listener, heard in self.levels_db.items()
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Return the matrix as text: a heading, then a row for each listener with whole decibels."""
        names = tuple(self.levels_db)
        heading = ("hears (dB)", *names, "above own return")
        return [heading] + [
            (name, *(f"{self.levels_db[name][speaker]:.0f}" for speaker in names), f"{self.margin_db(name):.0f}")
            for name in names
        ]

    def __str__(self) -> str:
        return "\n".join("  ".join(f"{cell:>16}" for cell in row) for row in self.rows())


def audio_matrix(recordings: Mapping[str, Path], tones_hz: Mapping[str, int], start_s: float = 0.0,
                 duration_s: float | None = None) -> AudioMatrix:
    """Measure in each party's recording the tone of each party."""
    speakers = {name: tones_hz[name] for name in recordings}
    return AudioMatrix({name: tone_levels(path, speakers, start_s, duration_s) for name, path in recordings.items()})
