"""The calendar as administrators change it: a notice of holidays shown, applied, and taken back."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from callback_scheduler.timetable.timetable import Timetable
from config.errors import ConfigError
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.site.changes import InThread, SiteChanges
from node.operations.site.previews import BadLine, CalendarPreview, bad_lines, calendar_preview
from routing.calendar import Calendar, load_calendar
from routing.clock import Clock
from routing.site_changes import CALENDAR

_YEAR = re.compile(r"^\s*\"?(\d{4})[-/.年]\d", re.MULTILINE)
_NO_DAY = BadLine(0, "date", "no day in it")
_JUDGED_AGAIN = timedelta(days=62)  # a notice that comes later than that changes no reports any more
_LONGEST_TEXT = 2_000_000


class CalendarOperations:
    """The calendar of now is `office.calendar`; what is configured lies in the folder `configured`."""

    def __init__(
        self, changes: SiteChanges, office: Office, ledger: Ledger, timetable: Timetable, clock: Clock, *,
        configured: Path, in_thread: InThread,
    ) -> None:  # fmt: skip
        self._changes, self._office, self._ledger = changes, office, ledger
        self._timetable, self._clock = timetable, clock
        self._configured, self._in_thread = configured, in_thread

    async def preview(self, csv_text: str) -> CalendarPreview:
        """Return what a notice of holidays, as in config/calendar/<year>.csv, would change; nothing is changed."""
        year = _YEAR.search(csv_text[:_LONGEST_TEXT])
        name = f"{year[1]}.csv" if year else "0000.csv"
        try:
            calendar = await self._in_thread(self._calendar_with, name, csv_text.encode())
        except ConfigError as wrong:
            return CalendarPreview(year=int(name[:4]), faults=bad_lines(wrong))
        if year is None:
            return CalendarPreview(faults=(_NO_DAY,))
        orders = await self._ledger.orders.all_open_orders()
        now = self._clock.now()
        lately = await self._ledger.orders.all_orders(now - _JUDGED_AGAIN, now)
        frozen = {order.order_id: order for order in (*orders, *lately) if order.overdue_at is not None}
        return calendar_preview(
            int(name[:4]), self._office.calendar, calendar, orders, now, frozen=frozen.values()
        )

    async def apply(self, csv_text: str, who: Actor, why: str = "") -> CalendarPreview:
        """Go by a notice from now on: open orders are re-dated by it, and their units told. Returns the preview."""
        preview = await self.preview(csv_text)
        if preview.faults:
            raise OperationRefused(f"放假安排有{len(preview.faults)}处错误，未作更改。", "calendar.faults")
        await self._changes.change("calendar", f"{CALENDAR}/{preview.year}.csv", csv_text.encode(), who, why)
        await self._timetable.sweep_calendar()
        return preview

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of the calendar back; open orders are re-dated again."""
        name, content = self._changes.last(f"{CALENDAR}/")
        try:
            await self._in_thread(self._calendar_with, Path(name).name, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的放假安排已不可用。", "calendar.faults") from wrong
        await self._changes.take_back("calendar", f"{CALENDAR}/", who, why)
        await self._timetable.sweep_calendar()

    def _calendar_with(self, name: str, content: bytes | None) -> Calendar:
        """Return the calendar as it would be with another file of this name; None: without that of ours."""
        with self._changes.files.trial() as folder:
            for path in (self._changes.files.folder / CALENDAR).glob("*.csv"):
                (folder / path.name).write_bytes(path.read_bytes())
            if content is not None:
                (folder / name).write_bytes(content)
            else:
                (folder / name).unlink(missing_ok=True)
            return load_calendar(self._configured, folder)
