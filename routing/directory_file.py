"""The schema of units.yaml and matters.yaml, and the checks between the two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.errors import Fault
from config.yaml_lines import Document, Key, dotted
from routing.phone_numbers import read_number

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# What it may look like at all; `directory_numbers.undialled` judges it by the site's rules.
_WRITTEN = r"[+(]?[0-9][0-9 ().,转-]{0,38}[0-9)]"
Number = Annotated[str, StringConstraints(pattern=rf"^({_WRITTEN}|sip:[A-Za-z0-9_.+-]+@[A-Za-z0-9_.\[\]:-]+)$")]
# *9, *0 and *5 are commands of a seat's phone, so no code begins with these
Code = Annotated[str, StringConstraints(pattern=r"^[1-46-8][0-9]{1,2}$")]


class Strict(BaseModel):
    """A part of a file: knows every key."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Absence(Strict):
    """Days on which somebody is not rung, the last one included."""

    first_day: date
    last_day: date

    @model_validator(mode="after")
    def _in_order(self) -> Absence:
        if self.last_day < self.first_day:
            raise ValueError("last_day is before first_day")
        return self


class SpecialistEntry(Strict):
    """A person at a unit."""

    name: Name
    number: Number
    absences: tuple[Absence, ...] = ()


class TierEntry(Strict):
    """People rung together; without `rings_after_s` each tier follows the one before by `next_tier_after_s`."""

    specialists: dict[Id, SpecialistEntry] = Field(min_length=1)
    rings_after_s: float | None = Field(default=None, ge=0, le=600)


class UnitEntry(Strict):
    """A unit that owes answers."""

    name: Name
    tiers: tuple[TierEntry, ...] = Field(min_length=1)
    leader_number: Number | None = None
    head_number: Number | None = None
    aliases: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> UnitEntry:
        given = [tier.rings_after_s for tier in self.tiers if tier.rings_after_s is not None]
        if given != sorted(given):
            raise ValueError("a tier would ring before the one above it: see rings_after_s")
        return self


class SeatEntry(Strict):
    """An enterprise seat of the hotline."""

    name: Name
    number: Number


class UnitsFile(Strict):
    """units.yaml."""

    units: dict[Id, UnitEntry] = Field(min_length=1)
    seats: dict[Id, SeatEntry] = Field(min_length=1)  # without one, nobody answers a caller who asks for a person


class MatterEntry(Strict):
    """A matter: of one of our units, or of another service."""

    name: Name
    code: Code
    aliases: tuple[Name, ...] = ()
    unit_id: Id | None = None
    is_direct: bool = False
    belongs_elsewhere: Number | None = None
    elsewhere_name: str = ""

    @model_validator(mode="after")
    def _goes_somewhere(self) -> MatterEntry:
        if (self.unit_id is None) == (self.belongs_elsewhere is None):
            raise ValueError("a matter has either unit_id or belongs_elsewhere")
        if self.belongs_elsewhere is not None and not self.elsewhere_name:
            raise ValueError("belongs_elsewhere needs elsewhere_name, which the caller is told")
        return self


class MattersFile(Strict):
    """matters.yaml; `general_matter` is the matter of a caller who named none."""

    general_matter: Id
    matters: dict[Id, MatterEntry] = Field(min_length=1)


def cross_faults(units: Document, matters: Document) -> Iterator[Fault]:
    """Yield what the schema cannot see: what one entry says about another.

    Works on the files as written, so that these faults are reported together with those of the schema.
    """
    yield from _matter_faults(matters, members(units, "units"))
    yield from _general_matter_faults(matters)
    yield from _number_faults(units)
    yield from _specialist_faults(units)


def members(document: Document, *key: str) -> dict[str, Any]:
    """Return the mapping at a key, with those members that are mappings themselves."""
    content = document.content
    for part in key:
        content = content.get(part) if isinstance(content, dict) else None
    content = content if isinstance(content, dict) else {}
    return {name: entry for name, entry in content.items() if isinstance(entry, dict)}


def _matter_faults(matters: Document, units: dict[str, Any]) -> Iterator[Fault]:
    codes: dict[Any, str] = {}
    for matter_id, entry in members(matters, "matters").items():
        unit_id, code = entry.get("unit_id"), entry.get("code")
        if unit_id is not None and unit_id not in units:
            yield matters.fault(("matters", matter_id, "unit_id"), f"no unit is called {unit_id!r}")
        if code is not None and codes.setdefault(code, matter_id) != matter_id:
            yield matters.fault(("matters", matter_id, "code"), f"{code} is the code of {codes[code]} already")


def _general_matter_faults(matters: Document) -> Iterator[Fault]:
    general = matters.content.get("general_matter") if isinstance(matters.content, dict) else None
    known = members(matters, "matters")
    if isinstance(general, str) and general not in known:
        yield matters.fault(("general_matter",), f"no matter is called {general!r}")
    elif isinstance(general, str) and "belongs_elsewhere" in known[general]:
        yield matters.fault(("general_matter",), f"{general} belongs elsewhere: no unit would answer for the caller")


def _number_faults(units: Document) -> Iterator[Fault]:
    """A seat's phone is nobody else's: the line would ring it for a specialist while it holds the caller."""
    seat_of: dict[Any, str] = {}
    for seat_id, entry in members(units, "seats").items():
        number = _one_form(entry.get("number"))
        if number is not None and seat_of.setdefault(number, seat_id) != seat_id:
            yield units.fault(("seats", seat_id, "number"), f"{number} is the number of seat {seat_of[number]} already")
    for key, _, entry in specialists(units):
        number = _one_form(entry.get("number"))
        if number in seat_of:
            yield units.fault((*key, "number"), f"{number} is the number of seat {seat_of[number]}")


def _one_form(number: Any) -> Any:
    """Return a number so that it is the same however it is written; anything else as it is."""
    phone = read_number(str(number)) if isinstance(number, (str, int)) else None
    return number if phone is None else str(phone)


def _specialist_faults(units: Document) -> Iterator[Fault]:
    """A specialist stands once in the directory: an absence is noted in one place."""
    first: dict[str, Key] = {}
    for key, specialist_id, _ in specialists(units):
        if first.setdefault(specialist_id, key) != key:
            yield units.fault(key, f"{specialist_id} stands in {dotted(first[specialist_id][:4])} already")


def specialists(units: Document) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Yield key, id and entry of every specialist."""
    for unit_id, unit in members(units, "units").items():
        tiers = unit.get("tiers")
        for place, tier in enumerate(tiers if isinstance(tiers, list) else ()):
            people = tier.get("specialists") if isinstance(tier, dict) else None
            for specialist_id, entry in people.items() if isinstance(people, dict) else ():
                if isinstance(entry, dict):
                    yield ("units", unit_id, "tiers", place, "specialists", specialist_id), specialist_id, entry
