"""The waveform of a recording as an SVG image, computed once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy
import soundfile

BARS = 240
_WIDTH, _HEIGHT = 960, 96
_LEAST = 1.5  # silence is a line, not nothing


def waveform(path: Path) -> bytes:
    """Return the picture of a WAV file; OSError or soundfile's LibsndfileError if it cannot be read. Takes a while."""
    status = path.stat()
    return _drawn(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=512)  # some 12 kB each; a recording that still grows has another size
def _drawn(path: Path, changed_ns: int, size: int) -> bytes:
    peaks = _peaks(path)
    wide = _WIDTH / len(peaks)
    bars = [
        f"M{wide * (n + 0.5):.1f} {_HEIGHT / 2 - tall:.1f}v{2 * tall:.1f}"
        for n, tall in enumerate(max(_LEAST, peak * (_HEIGHT / 2 - 2)) for peak in peaks)
    ]
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">'
        f'<path d="{"".join(bars)}" stroke="#0b5394" stroke-width="{wide * 0.6:.2f}" stroke-linecap="round"/></svg>'
    )
    return picture.encode()


def _peaks(path: Path) -> list[float]:
    """Return the loudest sample of each of BARS stretches, 1.0 for the loudest of all; read piece by piece."""
    with soundfile.SoundFile(str(path)) as file:
        length = max(1, -(-file.frames // BARS))
        blocks = file.blocks(blocksize=length, dtype="float32", always_2d=True)
        peaks = [float(numpy.abs(block).max()) if block.size else 0.0 for block in blocks]
    loudest = max(peaks, default=0.0)
    return [peak / loudest for peak in peaks] if loudest > 0 else [0.0] * BARS


def length_s(path: Path) -> float:
    """Return how long a recording is; soundfile's LibsndfileError if it is none."""
    duration_s: float = soundfile.info(str(path)).duration
    return duration_s
