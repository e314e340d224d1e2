"""The door's counters, each with a log line that comes at most once in ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()

LOG_EVERY_S = 10.0
KINDS = (
    "admitted", "placed", "forwarded", "retransmitted", "rejected_full", "rejected_media", "rejected_loop",
    "rejected_rate", "rejected_trunk", "rejected_caller", "dropped_flood", "unconfirmed_ended", "stream_displaced",
    "foreign_source", "unknown_line", "bad_message", "oversize", "two_in_one", "method_refused", "no_dialog",
    "ack_without_tag", "too_many_hops", "uri_refused", "options_answered", "unreachable", "line_died_byes",
    "line_died_cancels", "line_died_refusals", "line_mute", "left_behind_ended", "extension_refused",
    "answered_by_door", "failed",
)  # fmt: skip
_QUIET = frozenset(("admitted", "placed", "forwarded", "retransmitted", "options_answered"))


class Counters:
    """Counts what happens; what should not happen is also logged, with how often it was left out."""

    def __init__(self, counters: dict[str, int], seconds: Callable[[], float]) -> None:
        self.counters = counters
        for kind in KINDS:
            counters.setdefault(kind, 0)
        self._seconds = seconds
        self._logged: dict[str, tuple[float, int]] = {}

    def count(self, kind: str, **values: Any) -> None:
        """Count one `kind`; `values` go to the log."""
        self.counters[kind] = total = self.counters.get(kind, 0) + 1
        if kind in _QUIET:
            return
        at, before = self._logged.get(kind, (float("-inf"), 0))
        if self._seconds() - at >= LOG_EVERY_S:
            self._logged[kind] = (self._seconds(), total)
            log.warning("message_filtered", kind=kind, times=total - before, **values)
