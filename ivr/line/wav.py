"""WAV files of the telephone: 8 kHz, 16 bit, mono; read whole, joined, and repaired when their writer was killed."""

from __future__ import annotations

import os
import struct
from pathlib import Path

SAMPLE_RATE_HZ = 8000
BYTES_PER_SECOND = SAMPLE_RATE_HZ * 2
_PCM = 1


class NotTelephoneWav(ValueError):
    """The file is no WAV of 8 kHz, 16 bit, mono, linear PCM."""


def header(data_bytes: int) -> bytes:
    """Return the 44-byte header of a telephone WAV with `data_bytes` of samples after it."""
    form = struct.pack("<HHIIHH", _PCM, 1, SAMPLE_RATE_HZ, BYTES_PER_SECOND, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVE"
        + b"fmt " + struct.pack("<I", len(form)) + form
        + b"data" + struct.pack("<I", data_bytes)
    )  # fmt: skip


def _find_data(head: bytes) -> tuple[int, int, bytes]:
    """Return where the samples start, how many bytes the header says there are, and the `fmt ` chunk."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise NotTelephoneWav("no RIFF/WAVE header")
    at, form = 12, b""
    while at + 8 <= len(head):
        name, size = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"data":
            return at + 8, size, form
        if name == b"fmt ":
            form = head[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)
    raise NotTelephoneWav("no data chunk")


def samples(path: str | Path) -> bytes:
    """Return the samples of a telephone WAV; OSError if it cannot be read, NotTelephoneWav if it is another kind."""
    content = Path(path).read_bytes()
    start, size, form = _find_data(content)
    if len(form) < 16:
        raise NotTelephoneWav("no format chunk")
    kind, channels, rate, _bytes_per_s, _align, bits = struct.unpack_from("<HHIIHH", form)
    if (kind, channels, rate, bits) != (_PCM, 1, SAMPLE_RATE_HZ, 16):
        raise NotTelephoneWav(f"{rate} Hz, {bits} bit, {channels} channel(s), format {kind}")
    return content[start : start + size] if start + size <= len(content) else content[start:]


def duration_ms(path: str | Path) -> int:
    """Return how long the sound is by the length of the file, whatever its header says; 0 if there is none."""
    try:
        with open(path, "rb") as file:
            start, _size, _form = _find_data(file.read(512))
            return max(0, os.fstat(file.fileno()).st_size - start) * 1000 // BYTES_PER_SECOND
    except (OSError, NotTelephoneWav):
        return 0


def is_whole(path: str | Path) -> bool:
    """Tell whether the header's lengths agree with the length of the file."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
            start, size, _form = _find_data(head)
            length = os.fstat(file.fileno()).st_size
    except (OSError, NotTelephoneWav):
        return False
    return start + size == length and struct.unpack_from("<I", head, 4)[0] + 8 == length


def repair(path: str | Path) -> bool:
    """Write the lengths a killed recorder left at 0 into the header; True if something was repaired.

    A recorder writes them when it closes. What it still had in its buffer (up to 1.6 s) is lost; an odd last byte is
    cut off. Files that are no WAV are left alone; OSError is raised as it comes.
    """
    with open(path, "r+b") as file:
        head = file.read(512)
        try:
            start, size, _form = _find_data(head)
        except NotTelephoneWav:
            return False
        length = os.fstat(file.fileno()).st_size
        data_bytes = (length - start) & ~1
        if start + size == length and struct.unpack_from("<I", head, 4)[0] + 8 == length:
            return False
        file.truncate(start + data_bytes)
        file.seek(4)
        file.write(struct.pack("<I", start + data_bytes - 8))
        file.seek(start - 4)
        file.write(struct.pack("<I", data_bytes))
        file.flush()
        os.fsync(file.fileno())
    return True


def repair_folder(folder: str | Path) -> list[Path]:
    """Repair every `*.wav` below `folder` that a killed line left open; return those that were repaired."""
    return [path for path in sorted(Path(folder).rglob("*.wav")) if path.is_file() and repair(path)]
