"""Pages made from the templates: escaped by default, and nothing missing passes unseen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from callback_scheduler.orders.cause_words import CHINESE, ENGLISH, CauseWords
from routing.clock import in_shanghai
from routing.masking import masked_text
from routing.phone_numbers import masked

FOLDER = Path(__file__).with_name("templates")


class Templates:
    """The templates of a folder; what every page is drawn from is named in console/visit.py."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._jinja = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._jinja.filters["masked"] = masked
        self._jinja.filters["masked_text"] = masked_text
        self._jinja.filters["day_time"] = day_time
        self._jinja.filters["clock_time"] = clock_time

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return the page `template`, drawn from `values`; what it lacks raises jinja2's UndefinedError."""
        return self._jinja.get_template(template).render(values)


def cause_words(language: str) -> CauseWords:
    """Return the words in which the cause of a miss is told on pages in a language."""
    return ENGLISH if language == "en" else CHINESE


def day_time(at: datetime | str | None) -> str:
    """2026-03-10 09:05, in Shanghai; a dash for what did not happen."""
    return f"{_instant(at):%Y-%m-%d %H:%M}" if at else "–"


def clock_time(at: datetime | str | None) -> str:
    """09:05:30, in Shanghai; a dash for what did not happen."""
    return f"{_instant(at):%H:%M:%S}" if at else "–"


def _instant(at: datetime | str) -> datetime:
    return in_shanghai(datetime.fromisoformat(at) if isinstance(at, str) else at)
