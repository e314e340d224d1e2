"""What was changed at run time lies in a folder of its own, and goes before the configured files.

    data_dir/site/calendar/2027.csv   stands in for the file of that name in `calendar_dir`
    data_dir/site/units.yaml          stands in for `directory_file`
    data_dir/site/hours.yaml          stands in for `hours`, but for its switch
    data_dir/site/switch.json         stands in for `hours.switch`; {"state": null} is no switch
    data_dir/site/prompts/zh/         <key>.txt and <key>.wav stand in for a text or a recording; see `PromptBook`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config import yaml_lines
from config.errors import ConfigError, Fault
from config.hours import HoursSettings, Switch
from config.hours_file import hours_of
from config.settings import Settings
from routing.calendar import Calendar, load_calendar
from routing.dial_rules import dial_rules
from routing.directory import Directory, load_directory
from routing.hours import Hours
from routing.site import Site, hours_of_no_unit, numbers_rung, phones_shared, tiers_never_rung

FOLDER, CALENDAR, UNITS, SWITCH, PROMPTS = "site", "calendar", "units.yaml", "switch.json", "prompts"
HOURS = "hours.yaml"


def with_changes(site: Site, folder: Path) -> Site:
    """Return a site as it was changed at run time; ConfigError if a change does not fit its configuration any more."""
    directory, hours = site.directory, site.hours
    if (folder / HOURS).exists():
        hours = Hours(hours_of(yaml_lines.read(folder / HOURS))).switched(hours.switch)
    if (folder / UNITS).exists():
        directory = changed_directory(site.settings, folder / UNITS, hours.settings)
    if (folder / HOURS).exists():
        changed_hours(folder / HOURS, directory)
    calendar = changed_calendar(site.settings, folder) if (folder / CALENDAR).exists() else site.calendar
    if (folder / SWITCH).exists():
        hours = hours.switched(read_switch(folder / SWITCH))
    return Site(site.settings, directory, calendar, hours)


def changed_calendar(settings: Settings, folder: Path) -> Calendar:
    """Return the calendar with the files of a site folder over those configured; ConfigError with every bad row."""
    return load_calendar(settings.calendar_dir, folder / CALENDAR)


def changed_hours(hours_file: Path, directory: Directory) -> HoursSettings:
    """Return the hours of a file, without a switch; ConfigError with every fault, also against the directory."""
    document = yaml_lines.read(hours_file)
    document.faults += hours_of_no_unit(document, directory)
    return hours_of(document)


def changed_directory(settings: Settings, units_file: Path, hours: HoursSettings) -> Directory:
    """Return the directory with other units; ConfigError with every fault, also against settings and hours."""
    manners, rules = settings.phone, dial_rules(settings)
    directory = load_directory(units_file, settings.matters_file, manners.next_tier_after_s, rules)
    faults = [*_unknown_units(settings, hours, units_file, directory), *_own_numbers(settings, units_file, directory)]
    faults += tiers_never_rung(units_file, directory, manners)
    faults += phones_shared(units_file, directory)
    if faults:
        raise ConfigError(faults)
    return directory


def _unknown_units(
    settings: Settings, hours: HoursSettings, units_file: Path, directory: Directory
) -> Iterator[Fault]:
    """Yield a fault for each unit that settings or hours name and that is not there any more."""
    known = {unit.unit_id for unit in directory.units}
    named = {*hours.units, *settings.ladder.units}
    named |= {unit_id for closure in hours.closures for unit_id in closure.units}
    for unit_id in sorted(named - known):
        yield Fault(str(units_file), 0, "units", f"the settings name a unit {unit_id!r}, which is not there")


def _own_numbers(settings: Settings, units_file: Path, directory: Directory) -> Iterator[Fault]:
    rung = numbers_rung(directory)
    document = yaml_lines.read(units_file)
    for number in settings.sip.own_numbers:
        if number in rung:
            yield document.fault((), f"{number} is our own number and that of {rung[number]}: it would come back")


def read_switch(file: Path) -> Switch | None:
    """Return the manual switch in a file, None for none; ConfigError if it is no switch."""
    try:
        told: Any = json.loads(file.read_text(encoding="utf-8"))
        return Switch.model_validate(told) if told["state"] is not None else None
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as wrong:
        raise ConfigError([Fault(str(file), 0, "", f"is no switch: {wrong}")]) from wrong
