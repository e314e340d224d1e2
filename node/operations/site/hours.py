"""Opening hours, closures, and the switch of day and night, as administrators change them."""

from __future__ import annotations

import json
from datetime import datetime

from pydantic import ValidationError

from callback_scheduler.orders.actor import Actor
from config.errors import ConfigError
from config.hours import HoursSettings, Switch
from config.hours_file import hours_text
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.site.changes import InThread, SiteChanges
from node.operations.site.hours_preview import HoursPreview, hours_preview
from node.operations.site.previews import bad_lines
from routing.clock import Clock
from routing.hours import Hours
from routing.site_changes import HOURS, SWITCH, changed_hours


class HoursOperations:
    """The hours of now are `office.hours`; `configured` are those of the settings."""

    def __init__(
        self, changes: SiteChanges, office: Office, clock: Clock, *, configured: HoursSettings, in_thread: InThread
    ) -> None:
        self._changes, self._office, self._clock = changes, office, clock
        self._configured, self._in_thread = configured, in_thread

    # -- day and night ------------------------------------------------------------------------------------------------

    async def set_switch(self, state: str, reason: str, until: datetime, who: Actor) -> Switch:
        """Let the line be open ("day") or closed ("night") from now up to `until`, whatever hours and calendar say."""
        try:
            switch = Switch.model_validate({"state": state, "reason": reason.strip(), "until": until})
        except ValidationError as wrong:
            raise OperationRefused("请选择日间或夜间，并填写原因和截止时间。", "switch.incomplete") from wrong
        if switch.until <= self._clock.now():
            raise OperationRefused("截止时间已过。", "switch.in_the_past")
        content = json.dumps(
            {"state": switch.state, "reason": switch.reason, "until": switch.until.isoformat()}, ensure_ascii=False
        )
        await self._changes.change("switch", SWITCH, content.encode(), who, switch.reason)
        self._office.take_hours(self._office.hours.switched(switch))
        return switch

    async def clear_switch(self, who: Actor, why: str = "") -> None:
        """Go by hours and calendar again."""
        await self._changes.change("switch", SWITCH, b'{"state": null}', who, why)
        self._office.take_hours(self._office.hours.switched(None))

    # -- hours and closures -------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return hours and closures as they count now, without the switch, as a file to be edited."""
        content = self._changes.files.read(HOURS)
        return content.decode() if content is not None else hours_text(self._configured)

    async def preview(self, yaml_text: str) -> HoursPreview:
        """Return what other hours and closures, as in the settings, would change; nothing is changed."""
        try:
            settings = await self._in_thread(self._hours_of, yaml_text.encode())
        except ConfigError as wrong:
            return HoursPreview(faults=bad_lines(wrong))
        office = self._office
        return hours_preview(office.hours, Hours(settings), office.calendar, self._clock.now())

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> HoursPreview:
        """Go by other hours from now on; a switch that is set goes on, and so do calls. Returns the preview."""
        preview = await self.preview(yaml_text)
        if preview.faults or preview.hours is None:
            raise OperationRefused(f"开放时间有{len(preview.faults)}处错误，未作更改。", "hours.faults")
        await self._changes.change("hours", HOURS, yaml_text.encode(), who, why)
        self._go_by(preview.hours)
        return preview

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of hours and closures back; a switch that is set goes on."""
        _, content = self._changes.last(HOURS)
        try:
            before = await self._in_thread(self._hours_of, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的开放时间已不可用。", "hours.faults") from wrong
        await self._changes.take_back("hours", HOURS, who, why)
        self._go_by(Hours(before))

    def _go_by(self, hours: Hours) -> None:
        office = self._office
        office.take_hours(hours.switched(office.hours.switch))

    def _hours_of(self, content: bytes | None) -> HoursSettings:
        """Return the hours of a text; None: those configured."""
        if content is None:
            content = hours_text(self._configured).encode()
        with self._changes.files.trial() as folder:
            path = folder / HOURS
            path.write_bytes(content)
            return changed_hours(path, self._office.directory)
