"""The catalogue of texts: read, checked against the list of prompts, and filled with spoken values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from config import yaml_lines
from config.errors import ConfigError, Fault
from ivr.speech import spoken, spoken_english
from ivr.speech.prompt_list import Prompt

_LANGUAGES: dict[str, ModuleType] = {"zh": spoken, "en": spoken_english}
_CHOICE_TAKES = frozenset(("matter", "key"))


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class _Text(_Strict):
    """A text; `plain` stands in for it when its values cannot be spoken in time."""

    text: str = Field(min_length=1)
    plain: str = ""
    speed_wpm: int | None = Field(default=None, ge=80, le=400)


def _short_form(text: Any) -> Any:
    if text is None:
        raise ValueError("has no text")
    return {"text": text} if isinstance(text, str) else text


class _File(_Strict):
    voice: str = Field(min_length=1)
    speed_wpm: int = Field(ge=80, le=400)
    say: dict[str, str] = {}
    menu_choice: str
    prompts: dict[str, Annotated[_Text, BeforeValidator(_short_form)]]


class Catalogue:
    """The texts of one language."""

    def __init__(self, file: _File, language: str) -> None:
        self._file = file
        self.language = language
        self._spoken = _LANGUAGES[language]
        self.voice, self.speed_wpm = file.voice, file.speed_wpm
        written = sorted(file.say, key=len, reverse=True)
        self._said = re.compile("|".join(map(re.escape, written))) if written else None

    def text(self, prompt: Prompt, values: Mapping[str, object]) -> str:
        """Return the text of a prompt with its values as they are said; TypeError if one is missing or of a wrong kind.

        Values that the prompt does not take are left alone: a question and its repetition are asked with the same.
        """
        if missing := prompt.takes - values.keys():
            raise TypeError(f"{prompt} needs {', '.join(sorted(missing))}")
        said = {name: self._value(name, values[name]) for name in prompt.takes}
        return self._file.prompts[prompt.value].text.format(**said)

    def written(self, prompt: Prompt) -> str:
        """Return the text of a prompt as it is written, with its placeholders; "" for a tone."""
        return "" if prompt.is_tone else self._file.prompts[prompt.value].text

    def with_texts(self, texts: Mapping[str, str]) -> Catalogue:
        """Return the catalogue with other texts, by key; ConfigError names what is wrong with each."""
        by_key = {prompt.value: prompt for prompt in Prompt if not prompt.is_tone}
        faults = [Fault("", 0, key, "there is no such prompt") for key in texts.keys() - by_key.keys()]
        for key in texts.keys() & by_key.keys():
            faults += [Fault("", 0, key, message) for message in _placeholder_faults(texts[key], by_key[key].takes)]
            faults += [] if texts[key].strip() else [Fault("", 0, key, "has no text")]
        if faults:
            raise ConfigError(faults)
        changed = {key: self._file.prompts[key].model_copy(update={"text": text}) for key, text in texts.items()}
        file = self._file.model_copy(update={"prompts": {**self._file.prompts, **changed}})
        return Catalogue(file, self.language)

    def plain(self, prompt: Prompt) -> str:
        """Return the text without values that stands in for a prompt, "" if it has none."""
        return self._file.prompts[prompt.value].plain

    def speed(self, prompt: Prompt) -> int | None:
        """Return the speed set for this very prompt."""
        return self._file.prompts[prompt.value].speed_wpm

    def as_said(self, text: str) -> str:
        """Return a text for the voice: words replaced from `say`, numerals as they are spoken."""
        if self._said is not None:
            text = self._said.sub(lambda match: self._file.say[match.group()], text)
        return str(self._spoken.numerals(text))

    def _value(self, name: str, value: object) -> str:
        return _SPEAK.get(name, _as_text)(self, value)

    def choices(self, matters: object) -> str:
        """Return the choices of a menu: matters for the keys 1, 2, ..."""
        if isinstance(matters, str) or not isinstance(matters, Sequence):
            raise TypeError(f"matters is a sequence of names, not {matters!r}")
        return "".join(self._file.menu_choice.format(matter=name, key=key) for key, name in enumerate(matters, start=1))

    def spoken_by(self, function: str, value: object) -> str:
        """Return a value as the language says it."""
        return str(getattr(self._spoken, function)(value))


def _as_text(_catalogue: Catalogue, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


_SPEAK: dict[str, Callable[[Catalogue, Any], str]] = {
    "matters": Catalogue.choices,
    "number": lambda catalogue, value: catalogue.spoken_by("phone", value),
    "order_id": lambda catalogue, value: catalogue.spoken_by("order_number", value),
    "due": lambda catalogue, value: catalogue.spoken_by("before", value),
}


def load_catalogue(folder: Path, language: str) -> Catalogue:
    """Return the texts in `<folder>/<language>.yaml`; ConfigError with every fault of the file otherwise."""
    document = yaml_lines.read(folder / f"{language}.yaml")
    file = document.validate(_File)
    if faults := list(_faults(file, document)):
        raise ConfigError(faults)
    return Catalogue(file, language)


def _faults(file: _File, document: yaml_lines.Document) -> Iterator[Fault]:
    by_key = {prompt.value: prompt for prompt in Prompt if not prompt.is_tone}
    for key in by_key.keys() - file.prompts.keys():
        yield document.fault(("prompts", key), "is missing")
    for key in file.prompts.keys() - by_key.keys():
        yield document.fault(("prompts", key), "there is no such prompt")
    for key in by_key.keys() & file.prompts.keys():
        yield from _text_faults(file.prompts[key], by_key[key].takes, document, key)
    for message in _placeholder_faults(file.menu_choice, _CHOICE_TAKES):
        yield document.fault(("menu_choice",), message)


def _text_faults(text: _Text, takes: frozenset[str], document: yaml_lines.Document, key: str) -> Iterator[Fault]:
    for message in _placeholder_faults(text.text, takes):
        yield document.fault(("prompts", key), message)
    for message in _placeholder_faults(text.plain, frozenset()):
        yield document.fault(("prompts", key, "plain"), message)
    if takes and not text.plain:
        yield document.fault(("prompts", key), "has placeholders and needs a `plain` text without them")
    if text.plain and not takes:
        yield document.fault(("prompts", key, "plain"), "is not needed: the text has no placeholders")


def _placeholder_faults(text: str, takes: frozenset[str]) -> Iterator[str]:
    try:
        parts = list(Formatter().parse(text))
    except ValueError as wrong:
        yield f"braces do not match: {wrong}"
        return
    names = {name for _, name, _, _ in parts if name is not None}
    if any(spec or conversion for _, _, spec, conversion in parts):
        yield "a placeholder is a plain name in braces"
    if missing := takes - names:
        yield f"lacks {_braced(missing)}"
    if extra := names - takes:
        yield f"has {_braced(extra)}, which this prompt does not take"


def _braced(names: frozenset[str] | set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
