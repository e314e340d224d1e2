"""What a YAML text holds, value by value, within bounds: it never grows beyond what was written.

A text of 306 bytes with aliases of aliases means six gigabytes, one of 900 brackets more than Python's stack takes. No
file of ours needs either. So values are built from the parser's events, and whatever goes beyond a bound is refused at
its line, before anything is built of it.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from yaml.reader import Reader

from config.errors import ConfigError, Fault

LARGEST_BYTES = 2_500_000
DEEPEST = 20
MOST_VALUES = 250_000
Key = tuple[str | int, ...]
# libyaml, where PyYAML came with it: many times as fast
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# up to here Python reads a faulty text again, since it names the line better; it takes a second for 100 kB
_READ_AGAIN = 100_000
_FULL_WIDTH = {"：": "':' and a blank", "，": "','", "［": "'['", "］": "']'", "｛": "'{'", "｝": "'}'", "“": "'\"'"}
_IN_UTF_8 = "save it as UTF-8 (in an editor: Save as, encoding UTF-8)"
_NO_ALIASES = "aliases (*name) are not read: write the value out where it is needed"
_PLAIN_KEYS = "a key is a plain word"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word as it was written; `is_plain` without quotes."""

    text: str
    is_plain: bool


class Built(Protocol):
    """What becomes of a text: it is told of each value, and says what words mean."""

    def at(self, key: Key, line: int) -> None:
        """Note where a value stands."""

    def takes(self, key: Key, line: int) -> bool:
        """Note where a key stands; False if its value is not to be kept."""

    def meaning(self, word: Scalar) -> Any:
        """Return what a word means."""


class _Refused(Exception):
    """A text goes beyond a bound, in a line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def text_of(path: Path) -> str:
    """Return a file's text; ConfigError if it cannot be read, is too large, or is no UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as wrong:
        raise _fault(path, 0, f"cannot be read: {wrong}") from wrong
    if len(content) > LARGEST_BYTES:
        raise _fault(path, 0, f"is larger than {LARGEST_BYTES:,} bytes")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _fault(path, 1, f"is UTF-16: {_IN_UTF_8}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        # not guessed: nearly every byte is some character of GBK, and a wrong guess would be read out to callers
        line = content.count(b"\n", 0, wrong.start) + 1
        raise _fault(path, line, f"is not UTF-8 (GBK, perhaps): {_IN_UTF_8}") from wrong
    if strange := Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, strange.start()) + 1
        raise _fault(path, line, f"has the control character U+{ord(strange[0]):04X}")
    return text


def build(path: Path, text: str, built: Built) -> Any:
    """Return what a text means, {} if it is empty; ConfigError, with the line, if it is no YAML or out of bounds."""
    try:
        try:
            return _Builder(text, LOADER, built).content()
        except yaml.MarkedYAMLError:
            if len(text) <= _READ_AGAIN:
                _Builder(text, yaml.SafeLoader, built).content()
            raise
    except _Refused as refused:
        raise _fault(path, refused.line, refused.message) from refused
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 0
        raise _fault(path, line, f"is not YAML: {wrong.problem}{_cure(text, line)}") from wrong
    except yaml.YAMLError as wrong:
        raise _fault(path, 0, f"is not YAML: {wrong}") from wrong


def full_width_cure(text: str) -> str:
    """Return what to write instead of the first full-width sign in a text; "" if there is none."""
    return next(
        (f"; it has a full-width {sign}: write {cure}" for sign, cure in _FULL_WIDTH.items() if sign in text), ""
    )


def _cure(text: str, line: int) -> str:
    """Return what may have been meant in a line that is no YAML, or in the one before it: a fault shows late."""
    for written in reversed(text.splitlines()[max(0, line - 2) : line]):
        indent = written[: len(written) - len(written.lstrip())]
        if "\t" in indent or ":\t" in written:
            return "; it has a tab: write blanks"
        if cure := full_width_cure(written):
            return cure
    return ""


def _fault(path: Path, line: int, message: str) -> ConfigError:
    return ConfigError([Fault(str(path), line, "", message)])


class _Builder:
    """Builds what one text means, by its events."""

    def __init__(self, text: str, loader: type[Any], built: Built) -> None:
        # yaml's annotations know no events
        parse: Callable[..., Iterator[Any]] = yaml.parse
        self._events, self._built = parse(text, Loader=loader), built
        self._count = 0

    def content(self) -> Any:
        event = self._next(yaml.StreamStartEvent, yaml.DocumentStartEvent)
        if isinstance(event, yaml.StreamEndEvent):
            return {}
        content = self._value(event, ())
        end = self._next(yaml.DocumentEndEvent)
        if not isinstance(end, yaml.StreamEndEvent):
            raise _Refused(end.start_mark.line + 1, "a second document (---) begins here: a file is one")
        return content

    def _next(self, *passed_over: type[Any]) -> Any:
        event = next(self._events)
        while isinstance(event, passed_over):
            event = next(self._events)
        return event

    def _value(self, event: Any, key: Key) -> Any:
        line = event.start_mark.line + 1
        self._check(event, key, line)
        self._built.at(key, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(key)
        if isinstance(event, yaml.MappingStartEvent):
            return self._members(key)
        return self._built.meaning(_scalar(event))

    def _check(self, event: Any, key: Key, line: int) -> None:
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, _NO_ALIASES)
        if len(key) > DEEPEST:
            raise _Refused(line, f"is nested deeper than {DEEPEST} times")
        if self._count > MOST_VALUES:
            raise _Refused(line, f"has more than {MOST_VALUES:,} values")

    def _items(self, key: Key) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*key, len(items))))
        return items

    def _members(self, key: Key) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            self._check(event, key, line)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused(line, _PLAIN_KEYS)
            here = (*key, event.value)
            is_taken = self._built.takes(here, line)
            value = self._value(next(self._events), here)
            if is_taken:
                members[event.value] = value
        return members


def _scalar(event: Any) -> Scalar:
    return Scalar(event.value, not event.style)  # None, or "" by libyaml
