"""How many calls one caller and one trunk may have through the door, how fast, and which of them nobody confirmed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from config.bounds import BoundSettings
from config.settings import Trunk
from ivr.door.dialogs import Dialog, DialogState

# So many times the calls a trunk may begin are still read and answered; what is beyond is dropped as it came.
_READ_TIMES = 10
_REMEMBERED_S = 60.0
_TOO_FEW_TO_SHARE = 2
_NUMBER = re.compile(r"(?:\+86|0086)?(\+?[0-9]{3,20})")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who begins a call, as far as it counts: `number` is "" for one that shows none; then its trunk stands for it."""

    number: str
    trunk: str

    @classmethod
    def of(cls, shown: str, trunk: str) -> Caller:
        """Return the caller of what was shown as its number; words such as anonymous are no number."""
        written = _NUMBER.fullmatch(shown)
        return cls(written[1] if written else "", trunk)

    def is_same(self, other: Caller) -> bool:
        """Whether both count together: one number on whatever trunk, or one trunk's callers without any."""
        return self.number == other.number and (bool(self.number) or self.trunk == other.trunk)


class _Bucket:
    """Lets `burst` pass at once and `per_s` steadily."""

    def __init__(self, per_s: float, burst: int, at: float) -> None:
        self._per_s, self._burst, self._left, self._at = per_s, float(burst), float(burst), at

    def takes(self, at: float) -> bool:
        self._left = min(self._burst, self._left + (at - self._at) * self._per_s)
        self._at = at
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class CallBounds:
    """Knows the calls that came in and still live. `lines` is how many calls there can be; 0: that is not known."""

    def __init__(
        self, bounds: BoundSettings, trunks: Iterable[Trunk], lines: int, seconds: Callable[[], float]
    ) -> None:
        self._bounds, self._lines, self._seconds = bounds, lines, seconds
        self._calls: dict[tuple[bytes, bytes], tuple[Dialog, Caller]] = {}
        self._left_unconfirmed: dict[Caller, float] = {}
        names, rules, now = [trunk.name for trunk in trunks], bounds.trunk, seconds()
        self._has_others = len(names) > 1
        self._new = {name: _Bucket(rules.calls_per_s, rules.calls_burst, now) for name in names}
        self._read = {
            name: _Bucket(rules.calls_per_s * _READ_TIMES, rules.calls_burst * _READ_TIMES, now) for name in names
        }

    def is_read(self, trunk: Trunk) -> bool:
        """Whether an INVITE of a trunk is worth reading; beyond that it is dropped before anything looks at it."""
        return self._read[trunk.name].takes(self._seconds())

    def refusal(self, caller: Caller, waiting: Iterable[Caller]) -> tuple[int, str] | None:
        """Return status and kind of the refusal of a new call; None if it may come in. `waiting` are before it."""
        before = [*(one for _, one in self._living()), *waiting]
        of_caller = sum(caller.is_same(one) for one in before)
        if of_caller >= self._most_of(caller):
            return 486, "rejected_caller"
        if caller.number and self._lines > _TOO_FEW_TO_SHARE and of_caller >= self._share(self._lines):
            return 503, "rejected_full"  # of so few lines, some are for others
        most = self._most_of_trunk()
        if most and sum(one.trunk == caller.trunk for one in before) >= most:
            return 503, "rejected_trunk"
        # last: what one caller has too many of does not use up what the others of the trunk may begin
        return None if self._new[caller.trunk].takes(self._seconds()) else (503, "rejected_rate")

    def let_in(self, dialog: Dialog, caller: Caller) -> None:
        """Note a call that has a line."""
        self._calls[dialog.key] = dialog, caller

    def unconfirmed(self) -> list[Dialog]:
        """Return the calls whose answer nobody has confirmed in time; they are to be ended."""
        now, rules = self._seconds(), self._bounds.trunk
        open_ones = [
            (dialog, caller) for dialog, caller in self._living()
            if dialog.state is DialogState.CONFIRMED and not dialog.is_confirmed
        ]  # fmt: skip
        of_caller = Counter(caller for _, caller in open_ones if caller.number)
        for caller, at in list(self._left_unconfirmed.items()):
            if now - at > _REMEMBERED_S:
                del self._left_unconfirmed[caller]
        late = []
        for dialog, caller in open_ones:
            is_again = of_caller[caller] > 1 or caller in self._left_unconfirmed
            if now - dialog.answered_at >= (rules.unconfirmed_again_s if is_again else rules.unconfirmed_s):
                late.append(dialog)
                if caller.number:
                    self._left_unconfirmed[caller] = now
        return late

    def _living(self) -> list[tuple[Dialog, Caller]]:
        ended = [
            key for key, (dialog, _) in self._calls.items() if dialog.state is DialogState.ENDED or dialog.line_is_gone
        ]
        for key in ended:
            del self._calls[key]
        return list(self._calls.values())

    def _most_of_trunk(self) -> int:
        """Return how many calls one trunk may have; 0: as many as there are lines."""
        return self._share(self._lines) if self._has_others else 0

    def _most_of(self, caller: Caller) -> int:
        rules = self._bounds.caller
        if caller.number:
            return rules.calls_at_once
        # a trunk may show no numbers at all: then these are all its callers
        return max(rules.calls_at_once_without_number, self._share(self._lines))

    def _share(self, lines: int) -> int:
        return max(1, lines * self._bounds.trunk.lines_percent // 100) if lines else 0
