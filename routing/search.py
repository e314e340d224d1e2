"""Finds units, matters and people by what somebody types: Chinese, pinyin, initials, a number or a code."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from pypinyin import Style, pinyin

from routing.directory import Directory
from routing.number_search import has_part, number_parts
from routing.phone_numbers import digits_of, read_number

_MOST_RESULTS = 20
_PART_OF_NUMBER = 4  # digits; fewer are a code, or the beginning of a number
_LONGEST = 60  # what is typed beyond is not looked at


class FoundKind(Enum):
    """What was found; in this order where nothing else decides."""

    MATTER = "matter"
    UNIT = "unit"
    PERSON = "person"


_ORDER = {kind: place for place, kind in enumerate(FoundKind)}


@dataclass(frozen=True)
class Found:
    """A place to put a caller through to; `key` is a matter_id, a unit_id or a person's number.

    `unit` is the name of the unit, or of the other service that a matter belongs to (`belongs_elsewhere`).
    """

    kind: FoundKind
    key: str
    name: str
    unit_id: str
    unit: str
    code: str = ""
    number: str = ""
    belongs_elsewhere: bool = False


# One place of a name: the character itself and every way it is read. Letters and digits are read as themselves.
_Syllable = tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    found: Found
    names: tuple[str, ...]
    digits: tuple[str, ...]


class DirectorySearch:
    """An index of one directory, built once: `find` looks at a few hundred short names and does no I/O."""

    def __init__(self, directory: Directory) -> None:
        self._entries = [_Entry(*place) for place in _places(directory)]
        names = dict.fromkeys(name for entry in self._entries for name in entry.names)
        self._syllables = {name: _syllables(name) for name in names}

    def find(self, words: str, limit: int = _MOST_RESULTS) -> list[Found]:
        """Return what fits all the words, the best first; [] for no words.

        Each word fits a name it is part of, as written or by the beginnings of the readings of characters that
        follow each other: 市场, shichang, shich, sc. Digits fit a code and the beginning of a
        number, four or more any part of one, in whatever form it is written.
        """
        whole = read_number(words[:_LONGEST])  # with spaces in it, perhaps
        sought = [whole.national] if whole is not None else words[:_LONGEST].casefold().split()
        if not sought:
            return []
        fits = [{name: _rank_of_name(name, read, word) for name, read in self._syllables.items()} for word in sought]
        ranks = [_rank(entry, sought, fits) for entry in self._entries]
        found = [(rank, _ORDER[entry.found.kind], entry) for rank, entry in zip(ranks, self._entries, strict=True)]
        best = sorted((one for one in found if one[0]), key=lambda one: one[:2])
        return [entry.found for _, _, entry in best[:limit]]


def _places(directory: Directory) -> Iterator[tuple[Found, tuple[str, ...], tuple[str, ...]]]:
    """Yield what can be found, its names, and its numbers."""
    units = {unit.unit_id: unit.name for unit in directory.units}
    for matter in directory.matters:
        unit = matter.elsewhere_name if matter.belongs_elsewhere else units[matter.unit_id]
        found = Found(
            FoundKind.MATTER, matter.matter_id, matter.name, matter.unit_id, unit,
            code=matter.code, belongs_elsewhere=bool(matter.belongs_elsewhere),
        )  # fmt: skip
        yield found, (matter.name, *matter.aliases), (matter.code,)
    for one in directory.units:
        yield Found(FoundKind.UNIT, one.unit_id, one.name, one.unit_id, one.name), (one.name, *one.aliases), ()
    for one in directory.units:
        for person in itertools.chain.from_iterable(tier.specialists for tier in one.tiers):
            digits = person.number.removeprefix("sip:").partition("@")[0]
            found = Found(FoundKind.PERSON, digits, person.name, one.unit_id, one.name, number=person.number)
            yield found, (person.name, one.name, *one.aliases), (digits,)


def _syllables(name: str) -> tuple[_Syllable, ...]:
    """Return each character of a name with all its readings; ü is typed as v."""
    return tuple(tuple(dict.fromkeys((char, *_readings(char)))) for char in name.casefold())


def _readings(char: str) -> list[str]:
    (readings,) = pinyin(char, style=Style.NORMAL, heteronym=True)
    return [reading for reading in readings if reading]


def _rank(entry: _Entry, sought: list[str], fits: list[dict[str, int]]) -> int:
    """Return 0 if a word does not fit, else 1 (exact) to 4; the worst word decides."""
    ranks = [_rank_of_word(entry, word, fit) for word, fit in zip(sought, fits, strict=True)]
    return max(ranks) if all(ranks) else 0


def _rank_of_word(entry: _Entry, word: str, fit: dict[str, int]) -> int:
    digits = digits_of(word)
    if digits is not None:
        begun = next((1 if number == digits else 2 for number in entry.digits if number.startswith(digits)), 0)
        parts = number_parts(word) if len(digits) >= _PART_OF_NUMBER else ()
        return begun or (3 if any(has_part(number, parts) for number in entry.digits) else 0)
    own = fit[entry.names[0]]
    if entry.found.kind is not FoundKind.PERSON:
        return min((rank for name in entry.names if (rank := fit[name])), default=0)
    # the names of the unit: its people come last
    return own or (4 if any(fit[name] for name in entry.names[1:]) else 0)


def _rank_of_name(name: str, syllables: tuple[_Syllable, ...], word: str) -> int:
    """Return 1 for the whole name, 2 for its beginning, 3 for a part of it, 0 for none."""
    if name.casefold() == word:
        return 1
    for start, syllable in enumerate(syllables):
        if any(reading[0] == word[0] for reading in syllable) and _fits(syllables, start, word):
            return 2 if start == 0 else 3
    return 0


def _fits(syllables: tuple[_Syllable, ...], start: int, word: str) -> bool:
    """Whether `word` is made of beginnings of what follows from `start` on, one of each syllable."""
    rests = {word}
    for syllable in syllables[start:]:
        rests = {
            rest[length:]
            for rest in rests
            for reading in syllable
            for length in range(1, len(reading) + 1)
            if rest.startswith(reading[:length])
        }
        if "" in rests:
            return True
        if not rests:
            return False
    return False
