"""Everything a site has configured, read and checked together: one start, one list of faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from config import yaml_lines
from config.errors import ConfigError, Fault
from config.settings import PhoneManners, Settings
from config.yaml_lines import Document, Key
from routing.calendar import Calendar, load_calendar
from routing.dial_rules import dial_rules
from routing.directory import Directory, load_directory
from routing.directory_file import members
from routing.hours import Hours
from routing.tiers import plan

Part = TypeVar("Part")
_LEGS_FOR_SPECIALISTS = 3  # a line has four legs, and one is the caller's


@dataclass(frozen=True)
class Site:
    """What the service is run with."""

    settings: Settings
    directory: Directory
    calendar: Calendar
    hours: Hours


def load_site(settings_file: Path) -> Site:
    """Return the site whose settings file this is.

    Raises ConfigError with the faults of all its files together: settings, units, matters, calendar, and what one says
    about another.
    """
    document = yaml_lines.read(settings_file)
    units_file = _named(document, "directory_file", "units.yaml")
    matters_file = _named(document, "matters_file", "matters.yaml")
    faults: list[Fault] = []
    settings = _or_faults(lambda: document.validate(Settings), faults)
    manners = settings.phone if settings else PhoneManners()
    rules = dial_rules(settings) if settings else None
    directory = _or_faults(lambda: load_directory(units_file, matters_file, manners.next_tier_after_s, rules), faults)
    calendar = _or_faults(lambda: load_calendar(_named(document, "calendar_dir", "calendar")), faults)
    if directory is not None:
        faults += _unknown_names(document, directory)
        faults += _own_numbers_rung(document, directory)
        faults += tiers_never_rung(units_file, directory, manners)
        faults += phones_shared(units_file, directory)
    if settings is None or directory is None or calendar is None or faults:
        raise ConfigError(faults)
    return Site(settings, directory, calendar, Hours(settings.hours))


def _named(document: Document, key: str, usual: str) -> Path:
    """Return a path of the settings file, even if other keys of it are wrong."""
    content = document.content if isinstance(document.content, dict) else {}
    given = content.get(key)
    return document.path.parent / (given if isinstance(given, str) else usual)


def _or_faults(load: Callable[[], Part], faults: list[Fault]) -> Part | None:
    try:
        return load()
    except ConfigError as wrong:
        faults += wrong.faults
        return None


def _unknown_names(document: Document, directory: Directory) -> Iterator[Fault]:
    """Yield a fault for each matter or unit that the settings name and the directory does not have."""
    matter_ids = {matter.matter_id for matter in directory.matters}
    unit_ids = {unit.unit_id for unit in directory.units}
    for key, matter_id in _items(document, "phone", "menu_matters"):
        if matter_id not in matter_ids:
            yield document.fault(key, f"no matter is called {matter_id!r}")
    for unit_id in members(document, "ladder", "units"):
        if unit_id not in unit_ids:
            yield document.fault(("ladder", "units", unit_id), f"no unit is called {unit_id!r}")
    yield from hours_of_no_unit(document, directory)


def hours_of_no_unit(document: Document, directory: Directory) -> Iterator[Fault]:
    """Yield a fault for each unit that the hours in a file name and the directory does not have."""
    unit_ids = {unit.unit_id for unit in directory.units}
    for unit_id in members(document, "hours", "units"):
        if unit_id not in unit_ids:
            yield document.fault(("hours", "units", unit_id), f"no unit is called {unit_id!r}")
    for closure, _ in _items(document, "hours", "closures"):
        for key, unit_id in _items(document, *closure, "units"):
            if unit_id not in unit_ids:
                yield document.fault(key, f"no unit is called {unit_id!r}")


def _own_numbers_rung(document: Document, directory: Directory) -> Iterator[Fault]:
    """Yield a fault for each number of ours that the directory would have us ring: the call would come back to us."""
    rung = numbers_rung(directory)
    for key, number in _items(document, "sip", "own_numbers"):
        if number in rung:
            yield document.fault(key, f"{number} is also the number of {rung[number]}: such a call would come back")


def numbers_rung(directory: Directory) -> dict[str, str]:
    """Return whose each number is that the directory would have us ring."""
    rung = {seat.number: f"seat {seat.seat_id}" for seat in directory.seats}
    for unit in directory.units:
        rung |= {person.number: person.specialist_id for tier in unit.tiers for person in tier.specialists}
        rung |= {unit.leader_number: f"the leader of {unit.unit_id}"} if unit.leader_number else {}
        rung |= {unit.head_number: f"the head of section of {unit.unit_id}"} if unit.head_number else {}
    elsewhere = {matter.belongs_elsewhere: matter.matter_id for matter in directory.matters if matter.belongs_elsewhere}
    return rung | elsewhere


def tiers_never_rung(units_file: Path, directory: Directory, manners: PhoneManners) -> Iterator[Fault]:
    """Yield a fault for each tier whose turn would come only after `ring_all_s`."""
    document = yaml_lines.read(units_file)
    for unit in directory.units:
        starts = plan(unit.tiers, manners.ring_s, manners.ring_all_s, _LEGS_FOR_SPECIALISTS)
        for number in sorted(set(range(len(unit.tiers))) - {start.tier for start in starts}):
            message = f"nobody of this tier would be rung within ring_all_s ({manners.ring_all_s:g} s)"
            yield document.fault(("units", unit.unit_id, "tiers", number), message)


def phones_shared(units_file: Path, directory: Directory) -> Iterator[Fault]:
    """Yield a fault for each phone of two specialists: rung twice at once, and who dials in from it may be either."""
    document = yaml_lines.read(units_file)
    owners: dict[str, str] = {}
    for unit in directory.units:
        for place, tier in enumerate(unit.tiers):
            for person in tier.specialists:
                owner = owners.setdefault(person.number, person.specialist_id)
                if owner != person.specialist_id:
                    key = ("units", unit.unit_id, "tiers", place, "specialists", person.specialist_id, "number")
                    yield document.fault(key, f"{person.number} is the number of {owner} already")


def _items(document: Document, *key: str | int) -> Iterator[tuple[Key, Any]]:
    """Yield key and content of each item of a list in the file."""
    content = document.content
    for part in key:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return
    for place, item in enumerate(content if isinstance(content, list) else ()):
        yield (*key, place), item
