"""What administrators change, without a node: acts are noted and answered as a test says."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from callback_scheduler.orders.actor import Actor
from config.hours import Switch
from node.operations.site.hours_preview import HoursPreview
from node.operations.site.interfaces import Preview
from node.operations.site.previews import CalendarPreview, DirectoryPreview
from routing.site import Site, load_site

CONFIG = Path(__file__).parents[2] / "config" / "hotline.yaml"


@cache
def sample_site() -> Site:
    """Return the sample's site, read once: nobody changes it."""
    return load_site(CONFIG)


class Whole(Protocol):
    """What a part needs of the whole: its acts noted, and the time."""

    def noted(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        """Note an act and return its answer; raise it if it is an exception."""


class FakePart:
    """One part of the operations: every act is noted as "<part>.<verb>" with its arguments.

    It is answered from `answers`; an answer that is an exception is raised.
    """

    name: str

    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    def _do(self, verb: str, *arguments: Any) -> Any:
        return self._whole.noted(f"{self.name}.{verb}", arguments)


class FakeChanges(FakePart):
    """What was changed at run time."""

    name = "site.changes"

    async def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        return list(self._do("latest", limit) or ())


class FakeCalendar(FakePart):
    """The calendar as administrators change it."""

    name = "site.calendar"

    async def preview(self, csv_text: str) -> CalendarPreview:
        return cast(CalendarPreview, self._do("preview", csv_text))

    async def apply(self, csv_text: str, who: Actor, why: str = "") -> CalendarPreview:
        return cast(CalendarPreview, self._do("apply", csv_text, str(who), why))

    async def undo(self, who: Actor, why: str = "") -> None:
        self._do("undo", str(who), why)


class FakeHours(FakePart):
    """The hours as administrators change them."""

    name = "site.hours"

    async def set_switch(self, state: str, reason: str, until: datetime, who: Actor) -> Switch:
        return cast(Switch, self._do("set_switch", state, reason, until, str(who)))

    async def clear_switch(self, who: Actor, why: str = "") -> None:
        self._do("clear_switch", str(who), why)

    def text(self) -> str:
        return str(self._do("text"))

    async def preview(self, yaml_text: str) -> HoursPreview:
        return cast(HoursPreview, self._do("preview", yaml_text))

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> HoursPreview:
        return cast(HoursPreview, self._do("apply", yaml_text, str(who), why))

    async def undo(self, who: Actor, why: str = "") -> None:
        self._do("undo", str(who), why)


class FakeDirectory(FakePart):
    """The directory as administrators change it."""

    name = "site.directory"

    def text(self) -> str:
        return str(self._do("text"))

    async def preview(self, yaml_text: str) -> DirectoryPreview:
        return cast(DirectoryPreview, self._do("preview", yaml_text))

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> DirectoryPreview:
        return cast(DirectoryPreview, self._do("apply", yaml_text, str(who), why))

    async def undo(self, who: Actor, why: str = "") -> None:
        self._do("undo", str(who), why)


class FakePrompts(FakePart):
    """The prompts as administrators change them."""

    name = "site.prompts"

    def list_prompts(self) -> list[dict[str, Any]]:
        return list(self._do("list_prompts"))

    async def figures(self) -> dict[str, dict[str, Any]]:
        return cast(dict[str, dict[str, Any]], self._do("figures"))

    def wav(self, name: str) -> Path:
        return cast(Path, self._do("wav", name))

    async def set_text(self, name: str, text: str, who: Actor, why: str = "") -> None:
        self._do("set_text", name, text, str(who), why)

    async def set_recording(self, name: str, wav: bytes, who: Actor, why: str = "") -> None:
        self._do("set_recording", name, wav, str(who), why)

    async def undo(self, name: str, who: Actor, why: str = "") -> None:
        self._do("undo", name, str(who), why)


class FakeRehearsal(FakePart):
    """Rehearsals of changes."""

    name = "site.rehearsal"

    async def play(self, preview: Preview | None = None) -> dict[str, Any]:
        return cast(dict[str, Any], self._do("play", preview))


class FakeSite:
    """What administrators change."""

    def __init__(self, whole: Whole) -> None:
        self.changes = FakeChanges(whole)
        self.calendar = FakeCalendar(whole)
        self.hours = FakeHours(whole)
        self.directory = FakeDirectory(whole)
        self.prompts = FakePrompts(whole)
        self.rehearsal = FakeRehearsal(whole)
