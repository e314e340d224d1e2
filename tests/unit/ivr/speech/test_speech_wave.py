"""Sounds made fit for the telephone, checked by figures."""

from __future__ import annotations

import tracemalloc
import wave as stdlib_wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ivr.speech import tones as speech_tones
from ivr.speech import wave as speech_wave
from ivr.speech.wave import RATE_HZ, Samples


def sine(frequency_hz: float, seconds: float = 1.0, rate_hz: int = RATE_HZ, dbfs: float = -20.0) -> Samples:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.asarray(np.sin(2 * np.pi * frequency_hz * t) * 2**0.5 * 10 ** (dbfs / 20), dtype=np.float64)


def spectrum_db(samples: Samples, frequency_hz: float) -> float:
    """Return the level at one frequency, in dBFS."""
    window = np.hanning(len(samples))
    t = np.arange(len(samples)) / RATE_HZ
    amplitude = 2 * abs((samples * window * np.exp(-2j * np.pi * frequency_hz * t)).sum()) / window.sum()
    return float(20 * np.log10(max(amplitude / 2**0.5, 1e-9)))


def test_what_is_above_the_telephone_band_is_not_folded_back_into_it() -> None:
    # 22050 -> 8000 Hz: without a filter 5 kHz comes back as 3 kHz
    samples = speech_wave.resample(sine(5000, rate_hz=22050), 22050)
    assert speech_wave.level_dbfs(samples[400:-400]) < -80


def test_what_is_in_the_telephone_band_keeps_its_level() -> None:
    for frequency_hz in (300, 1000, 3400):
        samples = speech_wave.resample(sine(frequency_hz, rate_hz=22050), 22050)
        assert spectrum_db(samples, frequency_hz) == pytest.approx(-20, abs=0.1)


def test_speech_is_brought_to_its_level_without_a_peak_above_the_ceiling() -> None:
    noise = np.random.default_rng(12345).laplace(size=3 * RATE_HZ) * 0.002  # as peaky as speech
    noise[RATE_HZ : RATE_HZ + 4000] = 0
    figures = speech_wave.measure(speech_wave.level_speech(noise))
    assert figures.level_dbfs == pytest.approx(-18, abs=0.3)
    assert figures.peak_dbfs <= -3.0
    assert not figures.clipped


def test_pauses_do_not_count_towards_the_level() -> None:
    with_pause = np.concatenate([sine(500), np.zeros(2 * RATE_HZ), sine(500)])
    assert speech_wave.level_dbfs(with_pause) == pytest.approx(-20, abs=0.2)


def test_quiet_before_and_after_speech_is_trimmed_to_a_breath() -> None:
    word = sine(500, 0.5)
    for quiet in (0, RATE_HZ):
        trimmed = speech_wave.trim(np.concatenate([np.zeros(quiet), word, np.zeros(quiet)]))
        assert len(trimmed) == pytest.approx(len(word) + 0.17 * RATE_HZ, abs=20)
        assert not trimmed[: int(0.049 * RATE_HZ)].any()


def test_silence_and_clipping_are_seen() -> None:
    assert speech_wave.measure(np.zeros(8000)).level_dbfs == -99
    assert speech_wave.measure(np.clip(sine(500, dbfs=3), -1, 1)).clipped
    assert not speech_wave.measure(sine(500)).clipped


@pytest.mark.parametrize(
    ("rate_hz", "channels", "subtype"),
    [(8000, 1, "ALAW"), (16000, 1, "PCM_16"), (44100, 2, "PCM_24"), (48000, 2, "FLOAT"), (11025, 1, "PCM_U8")],
)
def test_recordings_of_any_rate_and_width_are_read(tmp_path: Path, rate_hz: int, channels: int, subtype: str) -> None:
    path = tmp_path / "greeting.wav"
    tone = sine(1000, rate_hz=rate_hz)
    soundfile.write(path, np.column_stack([tone] * channels), rate_hz, subtype=subtype)
    samples, clipped = speech_wave.read(path)
    assert not clipped
    assert len(samples) == pytest.approx(RATE_HZ, abs=2)
    assert spectrum_db(samples, 1000) == pytest.approx(-20, abs=0.3)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "greeting.wav").write_text("not a sound")
    (tmp_path / "held.wav").write_bytes(b"")
    soundfile.write(tmp_path / "beep.wav", np.zeros(0), 8000)
    for name in ("greeting.wav", "held.wav", "beep.wav", "gone.wav"):
        with pytest.raises(speech_wave.UnreadableSound, match=name):
            speech_wave.read(tmp_path / name)


def test_what_is_written_is_what_lines_play(tmp_path: Path) -> None:
    speech_wave.write(sine(1000), tmp_path / "a.wav")
    with stdlib_wave.open(str(tmp_path / "a.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate(), sound.getnframes()) == (
            1, 2, 8000, 8000,
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_the_music_is_quiet_lasts_longer_than_two_words_and_has_no_seam() -> None:
    music = speech_tones.music()
    figures = speech_wave.measure(music)
    assert figures.level_dbfs == pytest.approx(-24, abs=0.2)
    assert figures.peak_dbfs < -6
    assert 20 <= figures.seconds <= 30
    steps = np.abs(np.diff(np.concatenate([music, music[:1]])))
    assert steps[-1] <= np.percentile(steps, 99)
    frames = (music.reshape(-1, 1600) ** 2).mean(axis=1)
    assert 10 * np.log10(frames.min()) > -45  # never a gap that sounds like a dead line


def test_the_music_lives_in_the_telephone_band() -> None:
    power = np.abs(np.fft.rfft(speech_tones.music())) ** 2
    frequencies = np.fft.rfftfreq(len(speech_tones.music()), 1 / RATE_HZ)
    band = (frequencies >= 300) & (frequencies <= 3400)
    assert power[band].sum() / power.sum() > 0.99


def test_the_beep_is_one_clean_tone_that_is_no_key_and_no_fax() -> None:
    beep = speech_tones.beep()
    assert spectrum_db(beep, 1000) > -17
    for other_hz in (697, 770, 852, 941, 1209, 1336, 1477, 1100, 2100):
        assert spectrum_db(beep, other_hz) < -45


@pytest.mark.parametrize(("rate_hz", "channels", "longest_s"), [(8000, 1, 3600.0), (8000, 2, 3600.0), (100, 1, 1.0)])
def test_a_recording_that_means_more_than_anybody_would_hear_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate_hz: int, channels: int, longest_s: float
) -> None:
    monkeypatch.setattr(speech_wave, "_MOST_SAMPLES", 20_000)
    monkeypatch.setattr(speech_wave, "_LONGEST_S", longest_s)
    path = tmp_path / "packed.flac"  # 800,000 samples of silence in a few thousand bytes
    soundfile.write(path, np.zeros((800_000 // channels, channels)), rate_hz)
    assert path.stat().st_size < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(speech_wave.UnreadableSound, match="too long"):
            speech_wave.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
