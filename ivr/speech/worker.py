"""The speech worker: one JSON request per line in, one answer per line out; `python -m ivr.speech.worker PARENT_PID`.

A process of its own, so that a crash of the synthesiser takes no call with it and its work never holds up the node.
It ends with its parent: at the end of its input, or by signal when the parent is killed.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import sys
import zlib
from pathlib import Path
from typing import Any, TextIO

# one thread is enough for sentences, and leaves the cores to the calls; before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ivr.speech import wave
from ivr.speech.espeak import Espeak, VoiceFailed
from ivr.speech.tones import TONES
from processes.die_with_parent import tie_to

_PRUNE_EVERY = 100  # sounds


@functools.cache
def _espeak() -> Espeak:
    return Espeak()  # on first need: a site with recordings of its own may do without


def make(request: dict[str, Any]) -> dict[str, Any]:
    """Make the sound a request asks for, write it to `path` with its figures beside it, and return these."""
    samples, clipped, phonemes = _samples(request)
    path = Path(request["path"])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    wave.write(samples, path)
    figures = {
        **dataclasses.asdict(wave.measure(samples)),
        "clipped": clipped,
        "phonemes": phonemes,
        "crc32": zlib.crc32(path.read_bytes()),
    }
    part = path.with_name(f".{path.stem}.json.{os.getpid()}")
    part.write_text(json.dumps(figures, ensure_ascii=False), encoding="utf-8")
    part.replace(path.with_suffix(".json"))
    return figures


def prune(folder: Path, keep: int) -> None:
    """Delete the oldest sounds of a folder beyond `keep`."""
    sounds = sorted(folder.glob("*.wav"), key=lambda sound: sound.stat().st_mtime, reverse=True)
    for sound in sounds[keep:]:
        sound.unlink(missing_ok=True)
        sound.with_suffix(".json").unlink(missing_ok=True)


def _samples(request: dict[str, Any]) -> tuple[wave.Samples, bool, str]:
    """Return the sound asked for, whether it was clipped where it comes from, and its phonemes."""
    kind, text = request["kind"], request["text"]
    if kind == "tone":
        return TONES[text](), False, ""
    if kind == "recording":
        # the site's own level is kept: only what would be clipped by the conversion is held back
        samples, clipped = wave.read(Path(text))
        return wave.limit(samples, -0.5), clipped, ""
    espeak = _espeak()
    spoken = espeak.say(text, request["voice"], request["speed_wpm"])
    if not spoken.any():
        raise VoiceFailed(f"nothing is heard of {text!r}")
    samples = spoken.astype("float64") / 32768
    clipped = wave.is_clipped(samples)
    samples = wave.level_speech(wave.trim(wave.resample(samples, espeak.rate_hz)))
    return samples, clipped, espeak.phonemes(text, request["voice"])


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more."""
    for made, line in enumerate(requests, start=1):
        request = json.loads(line)
        try:
            answer = make(request)
        except (VoiceFailed, wave.UnreadableSound, OSError, KeyError) as wrong:
            answer = {"error": str(wrong)}
        print(json.dumps({"id": request["id"], **answer}, ensure_ascii=False), file=answers, flush=True)
        if request.get("keep") and made % _PRUNE_EVERY == 0:
            prune(Path(request["path"]).parent, request["keep"])


def main() -> None:
    """Serve the parent named on the command line."""
    tie_to(int(sys.argv[1]), signal.SIGKILL)
    os.nice(5)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing a library prints may pass for an answer
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
