"""What a flow asks about the office: is it open, who answers for a matter, until when."""

from __future__ import annotations

from datetime import datetime

from callback_scheduler.deadlines import Deadline, deadline
from config.settings import Settings
from routing.calendar import Calendar
from routing.clock import Clock
from routing.directory import Directory, Seat
from routing.hours import Hours, Opening
from routing.matters import Matter
from routing.tiers import Tier


class Office:
    """Answers routing questions for the present moment of one clock; holds no state of its own."""

    def __init__(
        self, settings: Settings, directory: Directory, calendar: Calendar, hours: Hours, clock: Clock
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.calendar = calendar
        self.hours = hours
        self.clock = clock

    def opening(self) -> Opening:
        """Return whether the line is open now, with the reason."""
        return self.hours.opening(self.clock.now(), self.calendar)

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

    def deadline(self, at: datetime, missed_in_hours: bool) -> Deadline:
        """Return until when a call of `at` must be rung back."""
        return deadline(self.calendar, at, missed_in_hours)
