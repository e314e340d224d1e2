"""What administrators change while the node runs: calendar, hours, switch, directory; shown before, taken back."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from config.errors import ConfigError
from config.hours import HoursSettings, Switch
from config.hours_file import hours_text
from ivr.refused import OperationRefused
from node.operations.site.hours_preview import HoursPreview, hours_preview
from node.operations.site.previews import (
    CalendarPreview,
    DirectoryPreview,
    bad_lines,
    calendar_preview,
    directory_preview,
)
from node.operations.site.prompts import PromptOperations
from node.operations.site.trial_rehearsal import RehearsalFailed, trial_rehearsal
from routing.calendar import Calendar, load_calendar
from routing.directory import Directory
from routing.hours import Hours
from routing.site import Site
from routing.site_changes import CALENDAR, HOURS, SWITCH, UNITS, changed_directory, changed_hours

log = structlog.get_logger()

_YEAR = re.compile(r"^\s*(\d{4})-\d", re.MULTILINE)
_LONGEST_TEXT = 2_000_000
_DAYS_REHEARSED, _ORDERS_REHEARSED, _REHEARSAL_MOST_S = 4, 60, 120.0


class SiteOperations(PromptOperations):
    """Calendar, hours, day and night, directory, and what there is for prompts; see `SiteChanges` for every change."""

    # -- calendar -----------------------------------------------------------------------------------------------------

    async def preview_calendar(self, csv_text: str) -> CalendarPreview:
        """Return what a notice of holidays, as in config/calendar/<year>.csv, would change; nothing is changed."""
        year = _YEAR.search(csv_text[:_LONGEST_TEXT])
        name = f"{year[1]}.csv" if year else "0000.csv"
        try:
            calendar = await self._in_thread(self._calendar_with, name, csv_text.encode())
        except ConfigError as wrong:
            return CalendarPreview(year=int(name[:4]), faults=bad_lines(wrong))
        orders = await self._rooms.ledger.all_open_orders()
        return calendar_preview(int(name[:4]), self._rooms.office.calendar, calendar, orders, self._rooms.clock.now())

    async def apply_calendar(self, csv_text: str, who: str, why: str = "") -> CalendarPreview:
        """Go by a notice from now on: open orders are re-dated by it, and their units told. Returns the preview."""
        preview = await self.preview_calendar(csv_text)
        if preview.faults:
            raise OperationRefused(f"放假安排有{len(preview.faults)}处错误，未作更改。", "calendar.faults")
        await self.change("calendar", f"{CALENDAR}/{preview.year}.csv", csv_text.encode(), who, why)
        await self._rooms.timetable.sweep_calendar()
        return preview

    async def undo_calendar(self, who: str, why: str = "") -> None:
        """Take the last change of the calendar back; open orders are re-dated again."""
        name, content = self._last(f"{CALENDAR}/")
        try:
            await self._in_thread(self._calendar_with, Path(name).name, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的放假安排已不可用。", "calendar.faults") from wrong
        await self.take_back("calendar", f"{CALENDAR}/", who, why)
        await self._rooms.timetable.sweep_calendar()

    def _calendar_with(self, name: str, content: bytes | None) -> Calendar:
        """Return the calendar as it would be with another file of this name; None: without that of ours."""
        with self.files.trial() as folder:
            for path in (self.files.folder / CALENDAR).glob("*.csv"):
                (folder / path.name).write_bytes(path.read_bytes())
            if content is not None:
                (folder / name).write_bytes(content)
            else:
                (folder / name).unlink(missing_ok=True)
            return load_calendar(self._rooms.site.settings.calendar_dir, folder)

    # -- day and night ------------------------------------------------------------------------------------------------

    async def set_switch(self, state: str, reason: str, until: datetime, who: str) -> Switch:
        """Let the line be open ("day") or closed ("night") from now up to `until`, whatever hours and calendar say."""
        try:
            switch = Switch.model_validate({"state": state, "reason": reason.strip(), "until": until})
        except ValidationError as wrong:
            raise OperationRefused("请选择日间或夜间，并填写原因和截止时间。", "switch.incomplete") from wrong
        if switch.until <= self._rooms.clock.now():
            raise OperationRefused("截止时间已过。", "switch.in_the_past")
        content = json.dumps(
            {"state": switch.state, "reason": switch.reason, "until": switch.until.isoformat()}, ensure_ascii=False
        )
        await self.change("switch", SWITCH, content.encode(), who, switch.reason)
        self._rooms.office.take_hours(self._rooms.office.hours.switched(switch))
        return switch

    async def clear_switch(self, who: str, why: str = "") -> None:
        """Go by hours and calendar again."""
        await self.change("switch", SWITCH, b'{"state": null}', who, why)
        self._rooms.office.take_hours(self._rooms.office.hours.switched(None))

    # -- hours and closures -------------------------------------------------------------------------------------------

    def hours_text(self) -> str:
        """Return hours and closures as they count now, without the switch, as a file to be edited."""
        content = self.files.read(HOURS)
        return content.decode() if content is not None else hours_text(self._rooms.site.settings.hours)

    async def preview_hours(self, yaml_text: str) -> HoursPreview:
        """Return what other hours and closures, as in the settings, would change; nothing is changed."""
        try:
            settings = await self._in_thread(self._hours_of, yaml_text.encode())
        except ConfigError as wrong:
            return HoursPreview(faults=bad_lines(wrong))
        office = self._rooms.office
        return hours_preview(office.hours, Hours(settings), office.calendar, self._rooms.clock.now())

    async def apply_hours(self, yaml_text: str, who: str, why: str = "") -> HoursPreview:
        """Go by other hours from now on; a switch that is set goes on, and so do calls. Returns the preview."""
        preview = await self.preview_hours(yaml_text)
        if preview.faults or preview.hours is None:
            raise OperationRefused(f"开放时间有{len(preview.faults)}处错误，未作更改。", "hours.faults")
        await self.change("hours", HOURS, yaml_text.encode(), who, why)
        self._go_by(preview.hours)
        return preview

    async def undo_hours(self, who: str, why: str = "") -> None:
        """Take the last change of hours and closures back; a switch that is set goes on."""
        _, content = self._last(HOURS)
        try:
            before = await self._in_thread(self._hours_of, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的开放时间已不可用。", "hours.faults") from wrong
        await self.take_back("hours", HOURS, who, why)
        self._go_by(Hours(before))

    def _go_by(self, hours: Hours) -> None:
        office = self._rooms.office
        office.take_hours(hours.switched(office.hours.switch))

    def _hours_of(self, content: bytes | None) -> HoursSettings:
        """Return the hours of a text; None: those configured."""
        if content is None:
            content = hours_text(self._rooms.site.settings.hours).encode()
        with self.files.trial() as folder:
            path = folder / HOURS
            path.write_bytes(content)
            return changed_hours(path, self._rooms.office.directory)

    # -- directory ----------------------------------------------------------------------------------------------------

    async def preview_directory(self, yaml_text: str) -> DirectoryPreview:
        """Return what other units, people and seats, as in config/units.yaml, would change; nothing is changed."""
        try:
            directory = await self._in_thread(self._directory_of, yaml_text.encode())
        except ConfigError as wrong:
            return DirectoryPreview(faults=bad_lines(wrong))
        return directory_preview(self._rooms.office.directory, directory, await self._rooms.ledger.all_open_orders())

    async def apply_directory(self, yaml_text: str, who: str, why: str = "") -> DirectoryPreview:
        """Go by another directory from now on; a call that runs keeps what it began with. Returns the preview."""
        preview = await self.preview_directory(yaml_text)
        if preview.faults or preview.directory is None:
            raise OperationRefused(f"名录有{len(preview.faults)}处错误，未作更改。", "directory.faults")
        if preview.still_owed:
            raise OperationRefused(
                f"要删除的单位还有{len(preview.still_owed)}件未办结工单，请先改派。", "directory.still_owed"
            )
        await self.change("directory", UNITS, yaml_text.encode(), who, why)
        self._rooms.office.directory.become(preview.directory)
        return preview

    async def undo_directory(self, who: str, why: str = "") -> None:
        """Take the last change of the directory back."""
        _, content = self._last(UNITS)
        try:
            before = await self._in_thread(self._directory_of, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的名录已不可用。", "directory.faults") from wrong
        removed = directory_preview(self._rooms.office.directory, before, await self._rooms.ledger.all_open_orders())
        if removed.still_owed:
            raise OperationRefused(
                f"要删除的单位还有{len(removed.still_owed)}件未办结工单，请先改派。", "directory.still_owed"
            )
        await self.take_back("directory", UNITS, who, why)
        self._rooms.office.directory.become(before)

    async def rehearse(
        self, preview: CalendarPreview | DirectoryPreview | HoursPreview | None = None
    ) -> dict[str, Any]:
        """Play some days of made-up calls as if a preview counted already; None: as things are.

        Returns what `hotline rehearse --json` prints: orders, verdicts, units, breaches (the first 20, and
        breaches_in_all). One at a time, in a process of its own.
        """
        if self._is_rehearsing:
            raise OperationRefused("另一场演练正在进行，请稍候。", "rehearsal.runs_already")
        office, settings = self._rooms.office, self._rooms.site.settings
        calendar = getattr(preview, "calendar", None) or office.calendar
        directory = getattr(preview, "directory", None) or office.directory
        days = getattr(preview, "days", ())
        since = (days[0].on if days else self._rooms.clock.now().date()) - timedelta(days=1)
        site = Site(settings, directory, calendar, getattr(preview, "hours", None) or office.hours)
        self._is_rehearsing = True
        try:
            return await trial_rehearsal(
                site, self._rooms.reactor, since=since, until=since + timedelta(days=_DAYS_REHEARSED),
                orders=_ORDERS_REHEARSED, seed=1, most_s=_REHEARSAL_MOST_S,
            )  # fmt: skip
        except RehearsalFailed as wrong:
            log.error("rehearsal_failed", error=str(wrong))
            raise OperationRefused("演练未能完成。", "rehearsal.failed") from wrong
        finally:
            self._is_rehearsing = False

    def directory_text(self) -> str:
        """Return the directory's file as it counts now, to be edited."""
        content = self.files.read(UNITS)
        return (content or self._rooms.site.settings.directory_file.read_bytes()).decode()

    def _directory_of(self, content: bytes | None) -> Directory:
        """Return the directory of a text; None: the one configured."""
        settings, hours = self._rooms.site.settings, self._rooms.office.hours.settings
        if content is None:
            return changed_directory(settings, settings.directory_file, hours)
        with self.files.trial() as folder:
            path = folder / UNITS
            path.write_bytes(content)
            return changed_directory(settings, path, hours)
