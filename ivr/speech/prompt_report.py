"""The report of all prompts for `hotline check`: text, length, level, and what is wrong with each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.speech.prompts import Prompt, PromptBook
from ivr.speech.speech import Rendering, SpeechFailed

_SILENT_DBFS, _QUIET_DBFS, _LOUD_DBFS = -45.0, -28.0, -12.0

# Long values, of a kind to be expected: a prompt within its length with these is within it with nearly all.
_NUMBERS: dict[str, object] = {
    "number": "13800138000",
    "order_id": "26021410007",
    "due": datetime(2026, 2, 24, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai")),
}
_SAMPLES: dict[str, dict[str, object]] = {
    "zh": {
        "matters": ("企业登记", "税务办理", "社保缴纳", "食品经营许可"),
        "matter": "建设工程规划许可",
        "unit": "区人力资源和社会保障局",
        "name": "公共法律服务热线",
        "state": "正在办理",
        **_NUMBERS,
    },
    "en": {
        "matters": ("Registration", "Taxes", "Social insurance", "Food licence"),
        "matter": "food licence",
        "unit": "The human resources bureau",
        "name": "the legal service line",
        "state": "being dealt with",
        **_NUMBERS,
    },
}


@dataclass(frozen=True)
class PromptRow:
    """One prompt as it sounds; levels in dBFS. `source` is a file name, "synthesised" or "tone"."""

    key: str
    text: str
    seconds: float
    level_dbfs: float
    peak_dbfs: float
    source: str
    flags: tuple[str, ...]


async def report(book: PromptBook, samples: Mapping[str, object] | None = None) -> list[PromptRow]:
    """Return a row for every prompt, made if need be. `samples` are a site's own values for the placeholders."""
    values = {**_SAMPLES[book.catalogue.language], **(samples or {})}
    return [await _row(book, prompt, values) for prompt in Prompt]


def table(rows: Iterable[PromptRow]) -> str:
    """Return rows as text for a terminal, the flagged ones marked with `!`."""
    head = ("", "prompt", "seconds", "level", "peak", "source", "text")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(_padded, line, widths)).rstrip() for line in lines)


async def _row(book: PromptBook, prompt: Prompt, values: Mapping[str, object]) -> PromptRow:
    text = book.text(prompt, **values)
    recording = book.recordings.get(prompt)
    source = recording.name if recording else "tone" if prompt.is_tone else "synthesised"
    try:
        rendering = await book.rendering(book.sound(prompt, values))
    except SpeechFailed as wrong:
        return PromptRow(prompt.value, text, 0.0, -99.0, -99.0, source, (str(wrong),))
    flags = tuple(_flags(prompt, text, book.catalogue.language, rendering))
    return PromptRow(
        prompt.value, text, rendering.seconds, rendering.level_dbfs, rendering.peak_dbfs, source, flags
    )


def _flags(prompt: Prompt, text: str, language: str, sound: Rendering) -> Iterable[str]:
    if sound.seconds > prompt.limit_s:
        yield f"too long: {sound.seconds:.1f} s, at most {prompt.limit_s:g} s"
    if sound.clipped:
        yield "clipped"
    if sound.level_dbfs < _SILENT_DBFS:
        yield "silent"
    elif sound.level_dbfs < _QUIET_DBFS:
        yield f"too quiet: below {_QUIET_DBFS:g} dBFS"
    elif sound.level_dbfs > _LOUD_DBFS:
        yield f"too loud: above {_LOUD_DBFS:g} dBFS"
    if _is_misread(text, language, sound.phonemes):
        yield "has words that the voice cannot read: give a reading in `say`"


def _is_misread(text: str, language: str, phonemes: str) -> bool:
    """Tell whether the voice had no reading for a word: it then spells it out, or names the script, in English."""
    if language == "en":
        return any("\u4e00" <= letter <= "\u9fff" for letter in text)
    return "(en)" in phonemes and not any("a" <= letter <= "z" for letter in text.lower())


def _cells(row: PromptRow) -> tuple[str, ...]:
    said = " — ".join((row.text, *row.flags))
    figures = (f"{row.seconds:7.2f}", f"{row.level_dbfs:5.1f}", f"{row.peak_dbfs:5.1f}")
    return ("!" if row.flags else "", row.key, *figures, row.source, said)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
