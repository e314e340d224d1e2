"""The morning ladder as a site writes it down: when a unit is reminded, dialled for, escalated about."""

from __future__ import annotations

from datetime import time
from itertools import pairwise

from pydantic import Field, PrivateAttr, model_validator

from config.fields import Seconds, Strict, TimeOfDay

_DUE_TIME = time(10, 0)  # the deadline rule of the district: every step of the morning comes before it


class LadderRules(Strict):
    """Steps and retries for one unit; times of day in Shanghai, `_s` in seconds.

    The digest goes out on the workday before the deadline, everything else on the day of the deadline. Nobody is
    dialled for before `first_dial_at` or from `dial_until` on. A busy phone is tried again after `busy_retry_s`, one
    that is not answered after `no_answer_retry_s`, and after a breach not before `late_retry_s`. The enterprise's
    phone rings `max_tries_per_day` times in vain at most; `min_tries` of them are what makes 已尽责未接通.
    """

    digest_at: TimeOfDay = time(17, 0)
    reminder_at: TimeOfDay = time(8, 45)
    first_dial_at: TimeOfDay = time(9, 0)
    second_tier_at: TimeOfDay = time(9, 12)
    head_at: TimeOfDay = time(9, 25)
    leader_at: TimeOfDay = time(9, 40)
    dial_until: TimeOfDay = time(17, 30)
    busy_retry_s: Seconds = 180.0
    no_answer_retry_s: Seconds = 720.0
    late_retry_s: Seconds = 1800.0
    ten_minutes_s: Seconds = 600.0
    min_tries: int = Field(default=3, ge=1, le=10)
    max_tries_per_day: int = Field(default=6, ge=1, le=30)

    def in_order(self) -> LadderRules:
        """Return itself; ValueError if a step comes before the one it follows."""
        names = ("reminder_at", "first_dial_at", "second_tier_at", "head_at", "leader_at")
        for earlier, later in pairwise(names):
            if getattr(self, later) < getattr(self, earlier):
                raise ValueError(f"{later} ({getattr(self, later):%H:%M}) is before {earlier}")
        if self.leader_at >= _DUE_TIME:
            raise ValueError(f"leader_at ({self.leader_at:%H:%M}) is not before the deadline ({_DUE_TIME:%H:%M})")
        if self.dial_until <= _DUE_TIME:
            raise ValueError(f"dial_until ({self.dial_until:%H:%M}) leaves no time after the deadline")
        if self.max_tries_per_day < self.min_tries:
            raise ValueError("max_tries_per_day is less than min_tries")
        return self


class LadderSettings(LadderRules):
    """The ladder of all units, what single units do otherwise, and how the timetable keeps it.

    A sweep looks at all orders every `sweep_every_s`. A node works on an order while it holds its lease, for
    `lease_s` at a time. An order whose node died in mid-callback is not dialled again for `safe_redial_s`, since the
    enterprise may be talking. A clock that jumps by more than `clock_jump_s` is reported.
    """

    units: dict[str, LadderRules] = Field(default_factory=dict)
    sweep_every_s: Seconds = 5.0
    lease_s: float = Field(default=30.0, ge=3, le=600)
    safe_redial_s: Seconds = 900.0
    clock_jump_s: Seconds = 5.0
    dials_per_sweep: int = Field(default=20, ge=1, le=500)

    _of_unit: dict[str, LadderRules] = PrivateAttr(default_factory=dict)

    def of(self, unit_id: str) -> LadderRules:
        """Return the rules for a unit: its own where it has some, else everybody's."""
        return self._of_unit.get(unit_id, self) if self.units else self

    @model_validator(mode="after")
    def _fits(self) -> LadderSettings:
        self.in_order()
        common = {name: getattr(self, name) for name in LadderRules.model_fields}
        for unit_id, own in self.units.items():
            given = {name: getattr(own, name) for name in own.model_fields_set}
            try:
                self._of_unit[unit_id] = LadderRules.model_construct(**(common | given)).in_order()
            except ValueError as wrong:
                raise ValueError(f"units.{unit_id}: {wrong}") from wrong
        return self
