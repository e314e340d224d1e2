"""How the node is at this moment: calls, seats, lines, trunks, ledger, timetable, notices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.timetable.timetable import Timetable
from ivr.calls.office import Office
from ivr.dispatch.incoming import IncomingCalls
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.door.door import Door
from node.drain import Drain
from node.lines import NodeLines
from node.operations.seats import SeatOperations
from routing.clock import Clock


class NodeStatus:
    """Asks every room how it is; see `Operations.status` for the shape."""

    def __init__(
        self, *, drain: Drain, office: Office, desk: IncomingCalls, callbacks: OutgoingCalls, seats: SeatOperations,
        lines: NodeLines, door: Door, ledger: Ledger, timetable: Timetable, notices: Notices, clock: Clock,
        folder: Path, least_free_mb: int,
    ) -> None:  # fmt: skip
        self._drain = drain
        self._office, self._desk, self._callbacks, self._seats = office, desk, callbacks, seats
        self._lines, self._door, self._clock = lines, door, clock
        self._ledger, self._timetable, self._notices = ledger, timetable, notices
        self._folder, self._least_free_mb = folder, least_free_mb

    def status(self) -> dict[str, Any]:
        """Return how the node is at this moment: calls, seats, lines, trunks, ledger, timetable, notices."""
        door, opening = self._door.status(), self._office.opening()
        calls = self._desk.status() + self._callbacks.status()
        return {
            "at": self._clock.now().isoformat(),
            "opening": {
                "is_open": opening.is_open,
                "reason": opening.reason,
                "until": opening.until.isoformat() if opening.until else None,
            },
            "calls": calls,
            # of calls that are over
            "records_unwritten": len(self._desk.calls()) + len(self._callbacks.calls()) - len(calls),
            "drain": self._drain.status(),
            "seats": self._seats.statuses(),
            "lines": self.lines(),
            "door": door,
            "trunks": door["registrations"],
            "ledger": self._ledger.status(),
            "timetable": self._timetable.status(),
            "notices": self._notices.status(),
            "disk": self._disk(),
        }

    def _disk(self) -> dict[str, Any]:
        """Return how many megabytes are free for journal and recordings, the less of both, and how many must be."""
        folders = [folder for folder in (self._folder, self._folder / "recordings") if folder.is_dir()]
        rooms = [os.statvfs(folder) for folder in folders]
        free_mb = min((room.f_bavail * room.f_frsize // 1_000_000 for room in rooms), default=0)
        return {"free_mb": free_mb, "least_free_mb": self._least_free_mb}

    def lines(self) -> dict[str, Any]:
        """Return the lines' figures, how many callers wait for one, and how many were turned away since the start.

        Empty while the node starts or stops.
        """
        figures, door = self._lines.status(), self._door
        if figures is None:
            return {}
        full = door.counters.get("rejected_full", 0)
        return figures | {"waiting": door.waiting_for_line, "turned_away": full, "trunks": door.trunks()}
