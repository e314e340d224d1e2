"""What the tone meter says about sounds whose levels are known."""

from __future__ import annotations

import random
import wave
from array import array
from pathlib import Path

import pytest

from demo.tones import (
    SAMPLE_RATE,
    SILENCE_DB,
    TONES_HZ,
    UnreadableRecording,
    audio_matrix,
    level_db,
    read_samples,
    tone_levels,
    write_tone,
)


def write_samples(path: Path, samples: array[int], rate: int = SAMPLE_RATE) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return path


def mixed(folder: Path, levels: dict[int, float], duration_s: int = 2) -> array[int]:
    """Return tones of the given levels, added up."""
    tones = [
        read_samples(write_tone(folder / f"{hz}.wav", hz, level, duration_s)) for hz, level in levels.items()
    ]
    return array("h", (sum(values) for values in zip(*tones, strict=True)))


@pytest.mark.parametrize("tone_hz", TONES_HZ)
@pytest.mark.parametrize("level", [-3.0, -15.0, -40.0])
def test_a_tone_is_measured_at_the_level_it_was_written_at(tmp_path: Path, tone_hz: int, level: float) -> None:
    samples = read_samples(write_tone(tmp_path / "tone.wav", tone_hz, level, 1))
    assert level_db(samples, tone_hz) == pytest.approx(level, abs=0.2)


def test_a_loud_neighbour_does_not_hide_that_a_tone_is_missing(tmp_path: Path) -> None:
    loud = mixed(tmp_path, {430: -10.0})
    for absent in TONES_HZ[1:]:
        assert level_db(loud, absent) < -80


def test_silence_is_the_floor_and_not_an_error() -> None:
    assert level_db(array("h", [0] * 8000), 430) == SILENCE_DB


def test_noise_of_a_codec_stays_far_below_a_tone() -> None:
    dice = random.Random(1)
    noise = array("h", (dice.randint(-200, 200) for _ in range(16000)))
    assert level_db(noise, 1060) < -70


def test_the_window_chooses_what_is_measured(tmp_path: Path) -> None:
    first, second = mixed(tmp_path, {430: -10.0}), mixed(tmp_path, {1060: -10.0})
    path = write_samples(tmp_path / "both.wav", first + second)
    tones = {"first": 430, "second": 1060}
    assert tone_levels(path, tones, 0.2, 1.5)["first"] == pytest.approx(-10, abs=0.2)
    assert tone_levels(path, tones, 0.2, 1.5)["second"] < -70
    assert tone_levels(path, tones, start_s=-1.5)["second"] == pytest.approx(-10, abs=0.2)
    assert tone_levels(path, tones, start_s=-1.5)["first"] < -70


def three_recordings(folder: Path, own_return_db: float, specialist_at_caller_db: float = -20.0) -> dict[str, Path]:
    tones = {"caller": 430, "seat": 610, "specialist": 1060}
    recordings = {}
    for listener in tones:
        levels = {hz: own_return_db if name == listener else -20.0 for name, hz in tones.items()}
        if listener == "caller":
            levels[tones["specialist"]] = specialist_at_caller_db
        recordings[listener] = write_samples(folder / f"{listener}_hears.wav", mixed(folder, levels))
    return recordings


TONES = {"caller": 430, "seat": 610, "specialist": 1060}


def test_three_who_hear_each_other_and_not_themselves_are_talking(tmp_path: Path) -> None:
    matrix = audio_matrix(three_recordings(tmp_path, own_return_db=-70.0), TONES, 0.5, 1.0)
    assert matrix.all_hear_each_other()
    assert matrix.margin_db("seat") == pytest.approx(50, abs=1)
    assert matrix.rows()[0] == ("hears (dB)", "caller", "seat", "specialist", "above own return")
    assert matrix.rows()[1][:4] == ("caller", "-70", "-20", "-20")


def test_an_echo_of_the_own_voice_is_not_accepted(tmp_path: Path) -> None:
    matrix = audio_matrix(three_recordings(tmp_path, own_return_db=-35.0), TONES)
    assert not matrix.all_hear_each_other()


def test_one_deaf_direction_spoils_the_conversation(tmp_path: Path) -> None:
    # quiet own return: a margin of 20 dB alone would let a voice of -60 dB pass as heard
    recordings = three_recordings(tmp_path, own_return_db=-90.0, specialist_at_caller_db=-60.0)
    matrix = audio_matrix(recordings, TONES)
    assert not matrix.hears("caller", "specialist")
    assert matrix.hears("specialist", "caller")
    assert not matrix.all_hear_each_other()


def test_what_is_no_telephone_recording_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    write_samples(tmp_path / "music.wav", array("h", [0] * 100), rate=44100)
    write_samples(tmp_path / "nothing.wav", array("h"))
    for name in ("text.wav", "empty.wav", "music.wav", "nothing.wav", "absent.wav"):
        with pytest.raises(UnreadableRecording, match=name):
            read_samples(tmp_path / name)
