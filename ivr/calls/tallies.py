"""What each caller has done within the last hour, counted on this node: changes of numbers, wrong keys, orders."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from enum import Enum

_HOUR = timedelta(hours=1)
_MOST_CALLERS = 10_000
# Those who show no number count as one: they are many.
_WITHOUT_NUMBER_TIMES = 10


class Tally(Enum):
    """What is counted."""

    ORDER = "order"  # an order left
    OTHER_NUMBER = "other_number"  # one to ring another number than the caller's
    NUMBER_CHANGE = "number_change"  # another number for an order that was there
    WRONG_ORDER = "wrong_order"  # the number of an order that is not theirs, or is none


class Tallies:
    """Counts by caller's number, as it was shown; all who show none count as one."""

    def __init__(self) -> None:
        self._moments: OrderedDict[tuple[Tally, str], deque[datetime]] = OrderedDict()

    def note(self, what: Tally, caller: str, at: datetime) -> None:
        """Count one."""
        key = what, _counted(caller)
        self._moments.setdefault(key, deque()).append(at)
        self._moments.move_to_end(key)
        while len(self._moments) > _MOST_CALLERS:
            self._moments.popitem(last=False)

    def is_full(self, what: Tally, caller: str, most: int, at: datetime) -> bool:
        """Whether a caller has had `most` within the hour before `at`; those without number have many more."""
        counted = _counted(caller)
        moments = self._moments.get((what, counted), deque())
        while moments and moments[0] <= at - _HOUR:
            moments.popleft()
        return len(moments) >= (most if counted else most * _WITHOUT_NUMBER_TIMES)


def _counted(shown: str) -> str:
    """Return the digits of a shown number; "" for anonymous and other words."""
    digits = re.sub(r"^(?:\+86|0086)", "", shown)
    return digits if re.fullmatch(r"\+?[0-9]{3,20}", digits) else ""
