"""How births of lines go: those that fail put off the next, longer each time: a machine at its end is spared."""

from __future__ import annotations

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
# So many in a row are no bad luck.
_FAILING_FROM = 3


class Births:
    """Counts births that failed in a row; `now_s` is of the reactor's clock."""

    def __init__(self) -> None:
        self.failed = 0  # since the start
        self._in_a_row = 0
        self._not_before_s = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether no line comes up any more."""
        return self._in_a_row >= _FAILING_FROM

    def may_begin(self, now_s: float) -> bool:
        """Whether it is time for a birth."""
        return now_s >= self._not_before_s

    def succeeded(self) -> None:
        """A line is ready."""
        self._in_a_row, self._not_before_s = 0, 0.0

    def failure(self, now_s: float) -> float:
        """A line ended before it was ready, or could not be forked; return for how long none is born now."""
        self.failed += 1
        self._in_a_row += 1
        # one alone is bad luck, and a caller may wait for it
        pause_s = 0.0 if self._in_a_row == 1 else min(_FIRST_PAUSE_S * 2.0 ** min(self._in_a_row, 10), _LONGEST_PAUSE_S)
        self._not_before_s = now_s + pause_s
        return pause_s
