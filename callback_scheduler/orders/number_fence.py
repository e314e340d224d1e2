"""After a restore: where order numbers go on, so that none that was given in the lost time is given again.

What was opened between the backup and the loss is in no journal any more, but callers have its numbers. So a restored
node counts on far beyond what a day can bring (seven digits instead of four) on all days up to the one after the
restore. Each restore has a place of its own, by the minute it was made at: the same archive may be restored twice.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from routing.clock import SHANGHAI

FILE = "number-fence.json"
_FORMAT = 1
_ROOM = 10_000  # for the orders of a day
_FIRST_PLACE, _MINUTES_OF_A_PLACE = 100, 4
_PLACES_OF_A_DAY = 24 * 60 // _MINUTES_OF_A_PLACE
# A fence holds until the day after, when another restore may be made at the same time of day.
_PLACES = 2 * _PLACES_OF_A_DAY


@dataclass(frozen=True, slots=True)
class NumberFence:
    """Numbers of days up to `until` begin behind `sequence`."""

    until: date
    sequence: int


def fence_of(restored_at: datetime, last_order_id: str = "", before: NumberFence | None = None) -> NumberFence:
    """Return the fence of a restore at a moment (aware); `last_order_id` is the last number the archive knows.

    A node whose clock was ahead has given numbers of later days: those are fenced, too. `before` is the fence that
    stands in the archive: while that holds, the new one is beyond all that may have been set since.
    """
    at = restored_at.astimezone(SHANGHAI)
    until = max(at.date(), _day_of(last_order_id) or at.date()) + timedelta(days=1)
    place = at.toordinal() % 2 * _PLACES_OF_A_DAY + (at.hour * 60 + at.minute) // _MINUTES_OF_A_PLACE
    sequence = (_FIRST_PLACE + place) * _ROOM
    if before is None or before.until < at.date():
        return NumberFence(until, sequence)
    while sequence <= before.sequence:
        sequence += _PLACES * _ROOM
    return NumberFence(max(until, before.until), sequence)


def write_fence(data_dir: Path, fence: NumberFence) -> None:
    """Put a fence on disk; OSError if there is no room."""
    fields = {"format": _FORMAT, "until": fence.until.isoformat(), "sequence": fence.sequence}
    with os.fdopen(os.open(data_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())


def read_fence(data_dir: Path) -> NumberFence | None:
    """Return the fence of a data_dir, None if it was never restored; ValueError if it cannot be read."""
    try:
        fields = json.loads((data_dir / FILE).read_bytes())
    except FileNotFoundError:
        return None
    try:
        if fields["format"] != _FORMAT:
            raise ValueError(f"{data_dir / FILE}: format {fields['format']}, this version knows {_FORMAT}")
        return NumberFence(date.fromisoformat(fields["until"]), int(fields["sequence"]))
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"{data_dir / FILE} is no fence: {wrong!r}") from wrong


def _day_of(order_id: str) -> date | None:
    try:
        return datetime.strptime(order_id[:6], "%y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
