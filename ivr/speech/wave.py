"""Sound made fit for the telephone: 8 kHz, trimmed, levelled, measured; used in the speech worker only.

Levels are in dBFS with 0 for a full-scale square wave (ITU-T G.100.1 dBov). Samples are floats, full scale 1.
"""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float64]

RATE_HZ = 8000
SPEECH_DBFS = -18.0  # active speech; loud enough for a phone in an office, far enough from the clip of G.711
CEILING_DBFS = -3.0
_LEAD_S, _TAIL_S = 0.05, 0.12
_FRAME_S = 0.02
_ACTIVE_DB = 25.0  # a frame this far below the loudest is a pause
_SILENT_DBFS = -99.0
_LONGEST_S, _MOST_SAMPLES = 3600.0, 21_000_000  # of all channels
_LOOK_AHEAD_S = 0.004


class UnreadableSound(Exception):
    """A file that is no sound we can read; the message names it."""


@dataclass(frozen=True)
class Measure:
    """Figures of a sound: level of its active parts, highest peak, and whether it ran into full scale."""

    seconds: float
    level_dbfs: float
    peak_dbfs: float
    clipped: bool


def read(path: Path) -> tuple[Samples, bool]:
    """Return a recording of any rate, width and number of channels as mono at 8 kHz, and whether it is clipped.

    UnreadableSound if it is no recording, or one that is far longer than what a caller would hear: a few bytes of a
    packed format may mean hours, and take all memory when they are unpacked.
    """
    try:
        with soundfile.SoundFile(str(path)) as sound:
            rate_hz = sound.samplerate
            most = min(_MOST_SAMPLES // max(1, sound.channels), int(_LONGEST_S * rate_hz))
            samples = sound.read(frames=most + 1, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as wrong:
        raise UnreadableSound(f"{path}: cannot be read as a recording: {wrong}") from wrong
    if len(samples) > most:
        raise UnreadableSound(f"{path}: the recording is too long")
    if not len(samples):
        raise UnreadableSound(f"{path}: the recording is empty")
    return resample(samples.mean(axis=1), rate_hz), any(map(is_clipped, samples.T))


def resample(samples: Samples, rate_hz: int) -> Samples:
    """Return samples at 8 kHz; what lies above 4 kHz is filtered out, not folded back."""
    if rate_hz == RATE_HZ:
        return samples
    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ, quality="VHQ"), dtype=np.float64)


def trim(samples: Samples) -> Samples:
    """Return speech with 50 ms of quiet before and 120 ms after it."""
    if not samples.any():
        return samples
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (-45 / 20))
    lead, tail = int(_LEAD_S * RATE_HZ), int(_TAIL_S * RATE_HZ)
    padded = np.concatenate([np.zeros(lead), samples, np.zeros(tail)])
    return padded[loud[0] : loud[-1] + 1 + lead + tail]


def level_speech(samples: Samples) -> Samples:
    """Return speech at -18 dBFS with no peak above -3 dBFS."""
    if not samples.any():
        return samples
    for _ in range(3):  # the limiter takes a little of the level away: bring it back
        samples = limit(samples * 10 ** ((SPEECH_DBFS - level_dbfs(samples)) / 20), CEILING_DBFS)
    return samples


def limit(samples: Samples, ceiling_dbfs: float) -> Samples:
    """Return samples with peaks brought under the ceiling smoothly, from 4 ms before each to 4 ms after it."""
    ceiling = 10 ** (ceiling_dbfs / 20)
    reach = int(_LOOK_AHEAD_S * RATE_HZ)
    gain = np.minimum(1.0, ceiling / np.maximum(np.abs(samples), 1e-9))
    padded = np.pad(gain, 2 * reach, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    window = np.hanning(2 * reach + 3)[1:-1]
    return samples * np.convolve(lowest, window / window.sum(), mode="valid")


def level_dbfs(samples: Samples) -> float:
    """Return the level of the active parts: frames of 20 ms no more than 25 dB below the loudest ones."""
    frame = int(_FRAME_S * RATE_HZ)
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    power = (padded**2).mean(axis=1)
    if not power.any():
        return _SILENT_DBFS
    active = power[power >= np.percentile(power, 95) * 10 ** (-_ACTIVE_DB / 10)]
    return max(_SILENT_DBFS, float(10 * np.log10(active.mean())))


def measure(samples: Samples) -> Measure:
    """Return the figures of a sound."""
    peak = float(np.abs(samples).max(initial=0.0))
    return Measure(
        seconds=round(len(samples) / RATE_HZ, 3),
        level_dbfs=round(level_dbfs(samples), 1),
        peak_dbfs=round(20 * np.log10(peak), 1) if peak > 0 else _SILENT_DBFS,
        clipped=is_clipped(samples),
    )


def is_clipped(samples: Samples) -> bool:
    """Tell whether three samples in a row are at full scale: no chance peak."""
    full = np.abs(samples) >= 0.999
    return bool((full[:-2] & full[1:-1] & full[2:]).any())


def write(samples: Samples, path: Path) -> None:
    """Write a 16-bit mono WAV of 8 kHz, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes())
    part.replace(path)
