"""Tells whether a prompt can be heard in a recording, by matched filtering piece for piece."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from config.settings import load
from demo.service import Service
from demo.tones import SAMPLE_RATE, read_samples
from ivr.speech.prompts import Prompt, PromptBook

Samples = npt.NDArray[np.float64]
# Short enough to survive a jitter buffer that skips or repeats a frame, long enough not to fit by chance.
_PIECE = SAMPLE_RATE * 2 // 5
_FITS = 0.8


def sounds_of(service: Service, prompt: Prompt, **values: object) -> list[Path]:
    """Return the file(s) in which the service keeps a prompt with these values."""
    settings = load(service.folder / "hotline.yaml")
    cache = service.data_dir / "prompts"
    name = PromptBook(settings.prompts, cache, None).sound(prompt, values).name
    return sorted(cache.rglob(name))


def let_be_said(service: Service, prompt: Prompt, **values: object) -> None:
    """Wait for as long as the service takes to say a prompt, and half a second more."""
    (sound,) = sounds_of(service, prompt, **values)
    time.sleep(len(read_samples(sound)) / SAMPLE_RATE + 0.5)


def heard_share(recording: Path, sound: Path) -> float:
    """Return how much of `sound` (0 to 1, silent pieces left out) is in the recording, wherever it begins."""
    heard = _samples(recording)
    pieces = [piece for piece in _pieces(_samples(sound)) if piece.std() > 200]
    return sum(_best_fit(heard, piece) >= _FITS for piece in pieces) / len(pieces)


def is_heard(recording: Path, service: Service, prompt: Prompt, *, share: float = 0.6, **values: object) -> bool:
    """Tell whether most of a prompt of the service is in the recording."""
    return any(heard_share(recording, sound) >= share for sound in sounds_of(service, prompt, **values))


def _samples(path: Path) -> Samples:
    return np.asarray(read_samples(path), dtype=np.float64)


def _pieces(samples: Samples) -> list[Samples]:
    return [samples[at : at + _PIECE] for at in range(0, len(samples) - _PIECE + 1, _PIECE)]


def _best_fit(heard: Samples, piece: Samples) -> float:
    """Return the largest correlation coefficient of `piece` with any stretch of `heard`."""
    if len(heard) < len(piece):
        return 0.0
    piece = piece - piece.mean()
    size = 1 << (len(heard) + len(piece)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(piece[::-1], size), size)
    products = products[len(piece) - 1 : len(heard)]
    sums = np.cumsum(np.insert(heard, 0, 0.0))
    squares = np.cumsum(np.insert(heard**2, 0, 0.0))
    length = len(piece)
    mean = (sums[length:] - sums[:-length]) / length
    energy = (squares[length:] - squares[:-length]) - length * mean**2
    return float(np.max(products / np.sqrt(np.maximum(energy, length * 100.0) * (piece**2).sum())))
