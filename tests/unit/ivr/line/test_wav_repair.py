"""What repairing a recording does to files of all conditions."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest

from ivr.line import wav

SECOND = bytes(range(250)) * 64


def recording(path: Path, samples: bytes, claimed: int | None = None, riff: int | None = None) -> Path:
    head = bytearray(wav.header(len(samples)))
    if claimed is not None:
        head[40:44] = struct.pack("<I", claimed)
        head[4:8] = struct.pack("<I", claimed + 36 if riff is None else riff)
    path.write_bytes(bytes(head) + samples)
    return path


def test_a_header_left_at_zero_by_a_killed_line_gets_the_length_of_the_file(tmp_path: Path) -> None:
    path = recording(tmp_path / "cut.wav", SECOND, claimed=0, riff=0)
    assert not wav.is_whole(path)
    assert wav.repair(path)
    assert wav.is_whole(path)
    with wave.open(str(path)) as whole:
        assert whole.getnframes() == len(SECOND) // 2
        assert whole.readframes(whole.getnframes()) == SECOND


def test_a_whole_recording_is_not_touched(tmp_path: Path) -> None:
    path = recording(tmp_path / "whole.wav", SECOND)
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert not wav.repair(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_half_a_sample_at_the_end_is_cut_off(tmp_path: Path) -> None:
    path = recording(tmp_path / "odd.wav", SECOND + b"\x01", claimed=0)
    assert wav.repair(path)
    assert wav.samples(path) == SECOND


def test_a_header_that_claims_more_than_there_is_is_brought_down_to_it(tmp_path: Path) -> None:
    path = recording(tmp_path / "long.wav", SECOND, claimed=10 * len(SECOND))
    assert wav.duration_ms(path) == 1000
    assert wav.repair(path)
    assert wav.is_whole(path)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound at all, but longer than a header is" * 9])
def test_what_is_no_wav_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.wav"
    path.write_bytes(content)
    assert not wav.repair(path)
    assert path.read_bytes() == content
    assert wav.duration_ms(path) == 0


def test_a_folder_is_repaired_with_all_below_it_and_says_what_it_repaired(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    cut = recording(tmp_path / "2026" / "cut.wav", SECOND, claimed=0)
    recording(tmp_path / "whole.wav", SECOND)
    assert wav.repair_folder(tmp_path) == [cut]
    assert wav.repair_folder(tmp_path) == []


def test_chunks_before_the_samples_are_stepped_over(tmp_path: Path) -> None:
    head = wav.header(len(SECOND))
    listed = head[:36] + b"LIST" + struct.pack("<I", 5) + b"abcde\0" + head[36:] + SECOND
    (tmp_path / "listed.wav").write_bytes(listed)
    assert wav.samples(tmp_path / "listed.wav") == SECOND


@pytest.mark.parametrize(("rate", "channels", "width"), [(16000, 1, 2), (8000, 2, 2), (8000, 1, 1)])
def test_a_wav_no_telephone_can_play_is_refused(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    with wave.open(str(tmp_path / "music.wav"), "wb") as out:
        out.setframerate(rate)
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.writeframes(SECOND)
    with pytest.raises(wav.NotTelephoneWav):
        wav.samples(tmp_path / "music.wav")
