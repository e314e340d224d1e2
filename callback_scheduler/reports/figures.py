"""Figures as a report gives them: a rate never without its numerator and denominator, a percentile without guessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """`part` of `whole`."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """0 to 100, two decimals; None of nothing."""
        return round(100 * self.part / self.whole, 2) if self.whole else None

    def __str__(self) -> str:
        shown = "—" if self.percent is None else f"{self.percent:.2f}%"
        return f"{shown}（{self.part}/{self.whole}）"

    def as_fields(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"numerator": self.part, "denominator": self.whole, "percent": self.percent}


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Return the nearest-rank percentile of values in ascending order: one that occurred; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How many more may fail in a row before the rate falls below its goal.

    `left` is negative when it is below the goal: then `needed` must succeed in a row to come back to it. Counted from
    what has been, without a guess at what will come.
    """

    goal_percent: int
    rate: Rate

    @property
    def left(self) -> int:
        """The most that may fail next: the largest k with part / (whole + k) at the goal or above."""
        return self.rate.part * 100 // self.goal_percent - self.rate.whole

    @property
    def needed(self) -> int:
        """How many must succeed in a row to come back to the goal, 0 if it is met; -1 if no number would do."""
        short = self.goal_percent * self.rate.whole - 100 * self.rate.part
        if short <= 0:
            return 0
        return -(-short // (100 - self.goal_percent)) if self.goal_percent < 100 else -1

    def sentence(self, when: str) -> str:
        """Return it in Chinese for the period `when` names, such as 今天."""
        if not self.rate.whole:
            return f"{when}还没有直转"
        if self.left > 0:
            return f"{when}还能失 {self.left} 个"
        if self.needed == 0:
            return f"{when}不能再失 1 个"
        return f"{when}已低于 {self.goal_percent}%，须连续接通 {self.needed} 个才能回到目标"

    def as_fields(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"goal_percent": self.goal_percent, **self.rate.as_fields(), "left": self.left, "needed": self.needed}
