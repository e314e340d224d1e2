"""How long a site keeps what it knows, and when an order that was settled by a call is closed."""

from __future__ import annotations

from datetime import time

from pydantic import Field

from config.fields import OptionalPath, Strict, TimeOfDay


class KeepingSettings(Strict):
    """Once a day, from `sweep_at` (Shanghai) on, what nobody owes any more and is older than `keep_days` is forgotten.

    That is settled orders, call records, surveys and recordings, and what journal and audit log say of them; files of
    the journal, sealed, go to `archive_dir`, or are deleted if there is none. A backup may be kept for as long. An
    order whose callback reached the enterprise is closed when the enterprise says that its matter is solved, and else
    `close_after_days` after the talk, unless it gave a bad rating: that is left to a supervisor. With less than
    `least_free_mb` free where the recordings lie, none is begun and those that run are ended: what is left is for the
    journal.
    """

    keep_days: int = Field(default=1096, ge=31, le=36525)  # three years
    sweep_at: TimeOfDay = time(3, 30)
    archive_dir: OptionalPath = None
    least_free_mb: int = Field(default=20, ge=0, le=1_000_000)
    close_after_days: int = Field(default=5, ge=1, le=365)
