"""When the line is open, as a site writes it down; `routing.hours` reads the answer from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_EARLIEST_YEAR, _LATEST_YEAR = 1900, 9000
_STRICT = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Weekday(Enum):
    """A day of the week; the values are the keys of `weekdays`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True)
class Window:
    """Open from `start` up to, not including, `end` of the same day; written `09:00-12:00`."""

    start: time
    end: time


def _window(written: Any) -> Any:
    """Return the Window written as `09:00-12:00`."""
    if not isinstance(written, str):
        return written
    try:
        start, end = (time.fromisoformat(part.strip()) for part in written.split("-"))
    except ValueError as wrong:
        raise ValueError("a window is written HH:MM-HH:MM, such as 09:00-12:00") from wrong
    if end <= start:
        raise ValueError("the window closes before it opens")
    return Window(start, end)


def _apart(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """Return windows in order of time, refusing overlaps."""
    ordered = sorted(windows, key=lambda window: window.start)
    for earlier, later in pairwise(ordered):
        if later.start < earlier.end:
            raise ValueError(f"windows overlap at {later.start:%H:%M}")
    return tuple(ordered)


def _in_shanghai(at: datetime) -> datetime:
    # at both ends of what a datetime can be, to reckon with it fails
    if not _EARLIEST_YEAR <= at.year <= _LATEST_YEAR:
        raise ValueError(f"lies before {_EARLIEST_YEAR} or after {_LATEST_YEAR}")
    return at.replace(tzinfo=_SHANGHAI) if at.tzinfo is None else at.astimezone(_SHANGHAI)


Windows = Annotated[tuple[Annotated[Window, BeforeValidator(_window)], ...], AfterValidator(_apart)]
ShanghaiTime = Annotated[datetime, AfterValidator(_in_shanghai)]  # without zone: Shanghai's


class Closure(BaseModel):
    """Closed from `start` up to `end` whatever the windows say; `units` narrows it to some units."""

    model_config = _STRICT

    start: ShanghaiTime
    end: ShanghaiTime
    reason: str = Field(min_length=1)
    units: tuple[str, ...] = ()

    def model_post_init(self, _context: Any) -> None:
        """Refuse a closure that ends before it starts."""
        if self.end <= self.start:
            raise ValueError("the closure ends before it starts")


class Switch(BaseModel):
    """Somebody's decision that it is day (open) or night (closed), up to `until`; it outranks everything."""

    model_config = _STRICT

    state: Literal["day", "night"]
    reason: str = Field(min_length=1)
    until: ShanghaiTime


class WindowSettings(BaseModel):
    """The windows of a workday, and of weekdays that differ from it.

    A make-up workday always has the `workday` windows. A Saturday or Sunday has none unless `weekdays` gives it some,
    and on a statutory holiday nobody is there.
    """

    model_config = _STRICT

    workday: Windows = Field(min_length=1)
    weekdays: dict[Weekday, Windows] = {}


class HoursSettings(WindowSettings):
    """Hours of the line, hours of single units where they differ, closures and the manual switch."""

    workday: Windows = Field(default=(Window(time(9), time(12)), Window(time(13, 30), time(17, 30))), min_length=1)
    units: dict[str, WindowSettings] = {}
    closures: tuple[Closure, ...] = ()
    switch: Switch | None = None
