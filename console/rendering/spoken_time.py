"""Instants as people say them: 今天 09:40, 2月24日 10:00."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from routing.clock import in_shanghai

_NEAR = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def speaker(t: Callable[..., str], today: date) -> Callable[..., str]:
    """Return what says an instant (aware, or ISO 8601; None is a dash) in the language of `t`, a text by its key."""

    def say(at: datetime | str | None, *, with_seconds: bool = False) -> str:
        if not at:
            return "–"
        at = in_shanghai(datetime.fromisoformat(at) if isinstance(at, str) else at)
        clock = f"{at:%H:%M:%S}" if with_seconds else f"{at:%H:%M}"
        near = _NEAR.get((at.date() - today).days)
        if near:
            return t(f"when.{near}", clock=clock)
        key = "when.day" if at.year == today.year else "when.day_of_year"
        return t(key, clock=clock, day=at.day, month=at.month, year=at.year)

    return say


def measurer(t: Callable[..., str]) -> Callable[[float], str]:
    """Return what says a length in seconds: 2天3小时, 1小时5分, 19分, 35秒; the sign is left out."""

    def measure(seconds: float) -> str:
        whole = round(abs(seconds))
        days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
        if days and not hours:
            return t("when.whole_days", days=days)
        if days:
            return t("when.days", days=days, hours=hours)
        if hours:
            return t("when.hours", hours=hours, minutes=minutes)
        return t("when.minutes", minutes=minutes) if minutes else t("when.seconds", seconds=whole)

    return measure
