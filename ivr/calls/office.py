"""What a flow asks about the office: is it open, who answers for a matter, until when."""

from __future__ import annotations

import re
from copy import copy
from datetime import datetime

from callback_scheduler.orders.deadlines import Deadline, deadline
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialRefusal, DialRules, may_dial_now
from config.settings import Settings
from routing.calendar import Calendar
from routing.clock import Clock
from routing.directory import Directory, Seat
from routing.hours import Hours, Opening
from routing.matters import Matter
from routing.phone_numbers import dialable
from routing.tiers import Tier


class Office:
    """Answers routing questions for the present moment of one clock, by the calendar it was given last."""

    def __init__(
        self, settings: Settings, directory: Directory, calendar: Calendar, hours: Hours, clock: Clock
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.calendar = calendar
        self.hours = hours
        self.clock = clock

    def take_calendar(self, calendar: Calendar) -> None:
        """Go by another calendar from now on: a notice has been revised."""
        self.calendar = calendar

    def take_hours(self, hours: Hours) -> None:
        """Go by other hours from now on: they were changed, or somebody switched to day or night."""
        self.hours = hours

    def as_it_is(self) -> Office:
        """Return an office that stays as this one is now: a call keeps what it began with."""
        office = copy(self)
        office.directory = copy(self.directory)
        return office

    def opening(self) -> Opening:
        """Return whether the line is open now, with the reason."""
        return self.hours.opening(self.clock.now(), self.calendar)

    def is_open_at(self, at: datetime) -> bool:
        """Return whether the line will be open at an instant."""
        return self.hours.opening(at, self.calendar).is_open

    def menu(self) -> dict[str, Matter]:
        """Return the matters of the menu by their key, "1" to "4"."""
        matters = self.settings.phone.menu_matters
        return {str(place): self.directory.matter(matter_id) for place, matter_id in enumerate(matters, start=1)}

    @property
    def general_matter(self) -> Matter:
        """The matter of a caller who asked for a person and named none."""
        return self.directory.general_matter

    @property
    def seats(self) -> tuple[Seat, ...]:
        return self.directory.seats

    def tiers(self, matter: Matter) -> tuple[Tier, ...]:
        """Return who is to be rung for a matter now, tier by tier."""
        return self.directory.tiers(matter, self.clock.now())

    def unit_tiers(self, unit_id: str) -> tuple[Tier, ...]:
        """Return who of a unit is to be rung now, whatever it is about; UnknownUnit if there is no such unit."""
        return self.directory.unit_tiers(unit_id, self.clock.now())

    def deadline(self, at: datetime, missed_in_hours: bool) -> Deadline:
        """Return until when a call of `at` must be rung back."""
        return deadline(self.calendar, at, missed_in_hours)

    def may_be_rung(self, number: str) -> bool:
        """Whether a number may be rung at all; never our own.

        It is one of the directory's, an extension of the house, or one that may be rung back.
        """
        sip, phone = self.settings.sip, self.settings.phone
        if number in sip.own_numbers:
            return False
        extensions = self.settings.bounds.dial.extension_patterns
        is_inside = self.directory.has_number(number) or any(re.fullmatch(one, number) for one in extensions)
        is_plain = re.fullmatch(r"\+?[0-9]+", number) is not None  # what is rung is what is written
        return is_inside or (is_plain and dialable(number, phone.number_patterns, sip.own_numbers) is not None)

    def may_dial_now(
        self, unit_id: str, number: str, why: DialFor, past: DialPast | None = None, at: datetime | None = None
    ) -> DialRefusal | None:
        """Return why a number may not be rung now (or `at`) for a unit; None if it may. The gate of every call out."""
        settings = self.settings
        rules = DialRules(
            ladder=settings.ladder, bounds=settings.bounds.dial, calendar=self.calendar, may_be_rung=self.may_be_rung,
            is_open=self.is_open_at,
        )  # fmt: skip
        return may_dial_now(unit_id, number, at or self.clock.now(), why, rules=rules, past=past or DialPast())
