"""What administrators may see and change while the node runs; see node/operations/interfaces.py for the whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from callback_scheduler.orders.actor import Actor
from config.hours import Switch
from node.operations.site.hours_preview import HoursPreview
from node.operations.site.previews import CalendarPreview, DirectoryPreview

Preview = CalendarPreview | DirectoryPreview | HoursPreview


class SiteChanges(Protocol):
    """What was changed at run time."""

    async def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last changes, newest first: at, what, file, who, why, is_undo, version_before, version_after."""


class SiteCalendar(Protocol):
    """The calendar: holidays and make-up workdays."""

    async def preview(self, csv_text: str) -> CalendarPreview:
        """Return what a notice of holidays, as in config/calendar/<year>.csv, would change; nothing is changed."""

    async def apply(self, csv_text: str, who: Actor, why: str = "") -> CalendarPreview:
        """Go by a notice from now on: open orders are re-dated by it, and their units told. Returns the preview."""

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of the calendar back; open orders are re-dated again."""


class SiteHours(Protocol):
    """Opening hours, closures, and the switch of day and night."""

    async def set_switch(self, state: str, reason: str, until: datetime, who: Actor) -> Switch:
        """Let the line be open ("day") or closed ("night") from now up to `until`, whatever hours and calendar say."""

    async def clear_switch(self, who: Actor, why: str = "") -> None:
        """Go by hours and calendar again."""

    def text(self) -> str:
        """Return hours and closures as they count now, without the switch, as a file (YAML) to be edited."""

    async def preview(self, yaml_text: str) -> HoursPreview:
        """Return what other hours and closures, as in the settings, would change; nothing is changed."""

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> HoursPreview:
        """Go by other hours from now on; a switch that is set goes on, and so do calls. Returns the preview."""

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of hours and closures back; a switch that is set goes on."""


class SiteDirectory(Protocol):
    """Units, people and seats."""

    def text(self) -> str:
        """Return the directory's file (YAML) as it counts now, to be edited."""

    async def preview(self, yaml_text: str) -> DirectoryPreview:
        """Return what other units, people and seats, as in config/units.yaml, would change; nothing is changed."""

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> DirectoryPreview:
        """Go by another directory from now on; a call that runs keeps what it began with. Returns the preview."""

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of the directory back."""


class SitePrompts(Protocol):
    """Texts and recordings of the prompts, in the site's language."""

    def list_prompts(self) -> list[dict[str, Any]]:
        """Return all prompts: name, text (as written), takes, limit_s, is_tone, is_recorded, is_changed."""

    async def figures(self) -> dict[str, dict[str, Any]]:
        """Return by name how each prompt sounds with long values: seconds, level_dbfs, peak_dbfs, is_clipped."""

    def wav(self, name: str) -> Path:
        """Return the sound of a prompt: WAV, 8 kHz, 16 bit, mono; of one with values that which stands in for it."""

    async def set_text(self, name: str, text: str, who: Actor, why: str = "") -> None:
        """Let a prompt say another text, in place of a recording too; its placeholders stay."""

    async def set_recording(self, name: str, wav: bytes, who: Actor, why: str = "") -> None:
        """Let a prompt be a recording: a WAV of any rate and width; not one with values in its text."""

    async def undo(self, name: str, who: Actor, why: str = "") -> None:
        """Take the last change of a prompt back."""


class SiteRehearsal(Protocol):
    """Plays a change before it counts."""

    async def play(self, preview: Preview | None = None) -> dict[str, Any]:
        """Play some days of made-up calls as if a preview counted already; None: as things are. One at a time.

        Returns what `hotline rehearse --json` prints: orders, verdicts, units, breaches (the first 20, and
        breaches_in_all).
        """


class Site(Protocol):
    """What administrators change while the node runs: each change is shown before, and can be taken back."""

    @property
    def changes(self) -> SiteChanges: ...

    @property
    def calendar(self) -> SiteCalendar: ...

    @property
    def hours(self) -> SiteHours: ...

    @property
    def directory(self) -> SiteDirectory: ...

    @property
    def prompts(self) -> SitePrompts: ...

    @property
    def rehearsal(self) -> SiteRehearsal: ...
