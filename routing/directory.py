"""Who is responsible for what: matters, units with their tiers of specialists, and the seats.

Only `load_directory` reads files; a `Directory` is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from config import yaml_lines
from config.errors import ConfigError, Fault
from config.yaml_lines import Document
from routing.clock import in_shanghai
from routing.dial_rules import DialRules
from routing.directory_file import Absence, MatterEntry, MattersFile, UnitEntry, UnitsFile, cross_faults
from routing.directory_numbers import undialled
from routing.errors import UnknownMatter, UnknownSeat, UnknownUnit
from routing.matters import Matter
from routing.phone_numbers import read_number
from routing.tiers import Specialist, Tier

_Stored = Callable[[str], str]

__all__ = ["Directory", "Matter", "Seat", "Specialist", "Tier", "Unit", "load_directory"]


@dataclass(frozen=True)
class Unit:
    """A unit that owes answers; `tiers` are all of its people, absent ones included, `aliases` its other names."""

    unit_id: str
    name: str
    tiers: tuple[Tier, ...]
    leader_number: str | None = None
    head_number: str | None = None  # of the head of section, who is reminded before the leader is
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seat:
    """An enterprise seat of the hotline."""

    seat_id: str
    name: str
    number: str


class Directory:
    """All matters, units and seats, in the order of their files."""

    def __init__(
        self,
        matters: tuple[Matter, ...],
        units: tuple[Unit, ...],
        seats: tuple[Seat, ...] = (),
        absences: Mapping[str, tuple[Absence, ...]] | None = None,
        general_matter_id: str = "",
    ) -> None:
        """`absences` has the days off of specialists, by specialist_id.

        `general_matter_id` is the matter of a caller who named none; "" means the first that a unit of ours has.
        """
        self.matters = matters
        self.units = units
        self.seats = seats
        self._absences = dict(absences or {})
        self._general_matter_id = general_matter_id
        self._matter_by_id = {matter.matter_id: matter for matter in matters}
        self._matter_by_code = {matter.code: matter for matter in matters}
        self._unit_by_id = {unit.unit_id: unit for unit in units}
        self._seat_by_id = {seat.seat_id: seat for seat in seats}
        self._people = {
            person.number.removeprefix("sip:").partition("@")[0]: (unit, person)
            for unit in units
            for tier in unit.tiers
            for person in tier.specialists
        }

    def matter(self, matter_id: str) -> Matter:
        """Return a matter; UnknownMatter if there is none of this id."""
        try:
            return self._matter_by_id[matter_id]
        except KeyError as wrong:
            raise UnknownMatter(matter_id) from wrong

    @property
    def general_matter(self) -> Matter:
        """The matter of a caller who named none; UnknownMatter if there is nothing to choose from."""
        if self._general_matter_id:
            return self.matter(self._general_matter_id)
        first = next((matter for matter in self.matters if matter.belongs_elsewhere is None), None)
        if first is None:
            raise UnknownMatter("no matter belongs to a unit")
        return first

    def matter_by_code(self, code: str) -> Matter | None:
        """Return the matter a seat means by `code`."""
        return self._matter_by_code.get(code)

    def matters_called(self, words: str) -> tuple[Matter, ...]:
        """Return the matters whose name or alias has `words` in it."""
        return tuple(matter for matter in self.matters if matter.is_called(words))

    @property
    def absences(self) -> Mapping[str, tuple[Absence, ...]]:
        """The days off of specialists, by specialist_id."""
        return self._absences

    def become(self, other: Directory) -> None:
        """Go by another directory from now on; whoever holds this one sees that, and who has a copy of it does not."""
        self.__dict__.update(other.__dict__)

    def unit(self, unit_id: str) -> Unit:
        """Return a unit; UnknownUnit if there is none of this id."""
        try:
            return self._unit_by_id[unit_id]
        except KeyError as wrong:
            raise UnknownUnit(unit_id) from wrong

    def unit_of(self, matter: Matter) -> Unit:
        """Return the unit responsible for a matter; UnknownUnit if the matter belongs elsewhere."""
        return self.unit(matter.unit_id)

    def person_at(self, number: str) -> tuple[Unit, Specialist] | None:
        """Return the specialist whose phone shows `number`, in any form, and the unit; None if it is nobody's."""
        return self._people.get(number) or self._people.get(str(read_number(number)))

    def seat(self, seat_id: str) -> Seat:
        """Return a seat; UnknownSeat if there is none of this id."""
        try:
            return self._seat_by_id[seat_id]
        except KeyError as wrong:
            raise UnknownSeat(seat_id) from wrong

    def tiers(self, matter: Matter, at: datetime) -> tuple[Tier, ...]:
        """Return who is to be rung for a matter at `at`: without those absent that day, and without empty tiers.

        The first tier left rings at once. A matter that belongs elsewhere has no tiers.
        """
        return () if matter.belongs_elsewhere is not None else self.unit_tiers(matter.unit_id, at)

    def unit_tiers(self, unit_id: str, at: datetime) -> tuple[Tier, ...]:
        """Return who of a unit is to be rung at `at`, in the same way; UnknownUnit if there is none of this id."""
        present = [
            Tier(tuple(person for person in tier.specialists if not self.is_absent(person, at)), tier.rings_after_s)
            for tier in self.unit(unit_id).tiers
        ]
        left = [tier for tier in present if tier.specialists]
        begin_s = left[0].rings_after_s if left else 0.0
        return tuple(Tier(tier.specialists, tier.rings_after_s - begin_s) for tier in left)

    def is_absent(self, specialist: Specialist, at: datetime) -> bool:
        """Return whether a specialist is away on the day of `at`."""
        on = in_shanghai(at).date()
        return any(
            absence.first_day <= on <= absence.last_day for absence in self._absences.get(specialist.specialist_id, ())
        )


def load_directory(
    units_file: Path, matters_file: Path, next_tier_after_s: float = 12.0, rules: DialRules | None = None
) -> Directory:
    """Return the directory in two YAML files; ConfigError with every fault of both otherwise.

    `next_tier_after_s` is the distance between tiers that give no `rings_after_s` themselves. By the `rules` of a site
    each number is kept in its stored form, and one that is not dialled is a fault.
    """
    documents: list[Document] = []
    faults: list[Fault] = []
    for path in (units_file, matters_file):
        try:
            documents.append(yaml_lines.read(path))
        except ConfigError as wrong:
            faults += wrong.faults
    if faults:
        raise ConfigError(faults)
    units, matters = documents
    faults = [*units.faults_of(UnitsFile), *matters.faults_of(MattersFile), *cross_faults(units, matters)]
    if not faults and rules is not None:
        faults += undialled(units, matters, rules)
    if faults:
        raise ConfigError(faults)
    stored: _Stored = (lambda number: number) if rules is None else lambda number: rules.other_line(number) or number
    return _built(units.validate(UnitsFile), matters.validate(MattersFile), next_tier_after_s, stored)


def _built(units: UnitsFile, matters: MattersFile, next_tier_after_s: float, stored: _Stored) -> Directory:
    people = {
        person_id: person
        for unit in units.units.values()
        for tier in unit.tiers
        for person_id, person in tier.specialists.items()
    }
    return Directory(
        tuple(_matter(matter_id, entry, stored) for matter_id, entry in matters.matters.items()),
        tuple(_unit(unit_id, entry, next_tier_after_s, stored) for unit_id, entry in units.units.items()),
        tuple(Seat(seat_id, entry.name, stored(entry.number)) for seat_id, entry in units.seats.items()),
        {person_id: person.absences for person_id, person in people.items() if person.absences},
        matters.general_matter,
    )


def _matter(matter_id: str, entry: MatterEntry, stored: _Stored) -> Matter:
    return Matter(
        matter_id=matter_id,
        name=entry.name,
        aliases=entry.aliases,
        code=entry.code,
        unit_id=entry.unit_id or "",
        is_direct=entry.is_direct,
        belongs_elsewhere=_stored_or_none(entry.belongs_elsewhere, stored),
        elsewhere_name=entry.elsewhere_name,
    )


def _unit(unit_id: str, entry: UnitEntry, next_tier_after_s: float, stored: _Stored) -> Unit:
    tiers: list[Tier] = []
    for tier in entry.tiers:
        usual_s = tiers[-1].rings_after_s + next_tier_after_s if tiers else 0.0
        people = [Specialist(one, person.name, stored(person.number)) for one, person in tier.specialists.items()]
        tiers.append(Tier(tuple(people), usual_s if tier.rings_after_s is None else tier.rings_after_s))
    leader, head = (_stored_or_none(number, stored) for number in (entry.leader_number, entry.head_number))
    return Unit(unit_id, entry.name, tuple(tiers), leader, head, entry.aliases)


def _stored_or_none(number: str | None, stored: _Stored) -> str | None:
    return None if number is None else stored(number)
