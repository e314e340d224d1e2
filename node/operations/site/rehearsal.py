"""A rehearsal of a change before it counts: some days of made-up calls, played in a process of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from config.settings import Settings
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.site.interfaces import Preview
from node.operations.site.trial_rehearsal import RehearsalFailed, trial_rehearsal
from routing.clock import Clock
from routing.site import Site

log = structlog.get_logger()

_DAYS_REHEARSED, _ORDERS_REHEARSED, _REHEARSAL_MOST_S = 4, 60, 120.0


class RehearsalOperations:
    """Plays one rehearsal at a time; `settings` are those the node was started with."""

    def __init__(self, office: Office, clock: Clock, settings: Settings, reactor: Any) -> None:
        self._office, self._clock, self._settings, self._reactor = office, clock, settings, reactor
        self._is_rehearsing = False

    async def play(self, preview: Preview | None = None) -> dict[str, Any]:
        """Play some days of made-up calls as if a preview counted already; None: as things are.

        Returns what `hotline rehearse --json` prints: orders, verdicts, units, breaches (the first 20, and
        breaches_in_all). One at a time, in a process of its own.
        """
        if self._is_rehearsing:
            raise OperationRefused("另一场演练正在进行，请稍候。", "rehearsal.runs_already")
        office, settings = self._office, self._settings
        calendar = getattr(preview, "calendar", None) or office.calendar
        directory = getattr(preview, "directory", None) or office.directory
        days = getattr(preview, "days", ())
        since = (days[0].on if days else self._clock.now().date()) - timedelta(days=1)
        site = Site(settings, directory, calendar, getattr(preview, "hours", None) or office.hours)
        self._is_rehearsing = True
        try:
            return await trial_rehearsal(
                site, self._reactor, since=since, until=since + timedelta(days=_DAYS_REHEARSED),
                orders=_ORDERS_REHEARSED, seed=1, most_s=_REHEARSAL_MOST_S,
            )  # fmt: skip
        except RehearsalFailed as wrong:
            log.error("rehearsal_failed", error=str(wrong))
            raise OperationRefused("演练未能完成。", "rehearsal.failed") from wrong
        finally:
            self._is_rehearsing = False
