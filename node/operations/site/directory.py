"""The directory as administrators change it: units, people and seats shown, applied, and taken back."""

from __future__ import annotations

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from config.errors import ConfigError
from config.settings import Settings
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.site.changes import InThread, SiteChanges
from node.operations.site.previews import DirectoryPreview, bad_lines, directory_preview
from routing.directory import Directory
from routing.site_changes import UNITS, changed_directory


class DirectoryOperations:
    """The directory of now is `office.directory`; what is configured is named in `settings`."""

    def __init__(
        self, changes: SiteChanges, office: Office, ledger: Ledger, settings: Settings, *, in_thread: InThread
    ) -> None:
        self._changes, self._office, self._ledger = changes, office, ledger
        self._settings, self._in_thread = settings, in_thread

    def text(self) -> str:
        """Return the directory's file as it counts now, to be edited."""
        content = self._changes.files.read(UNITS)
        return (content or self._settings.directory_file.read_bytes()).decode()

    async def preview(self, yaml_text: str) -> DirectoryPreview:
        """Return what other units, people and seats, as in config/units.yaml, would change; nothing is changed."""
        try:
            directory = await self._in_thread(self._directory_of, yaml_text.encode())
        except ConfigError as wrong:
            return DirectoryPreview(faults=bad_lines(wrong))
        return directory_preview(self._office.directory, directory, await self._ledger.orders.all_open_orders())

    async def apply(self, yaml_text: str, who: Actor, why: str = "") -> DirectoryPreview:
        """Go by another directory from now on; a call that runs keeps what it began with. Returns the preview."""
        preview = await self.preview(yaml_text)
        if preview.faults or preview.directory is None:
            raise OperationRefused(f"名录有{len(preview.faults)}处错误，未作更改。", "directory.faults")
        if preview.still_owed:
            raise OperationRefused(
                f"要删除的单位还有{len(preview.still_owed)}件未办结工单，请先改派。", "directory.still_owed"
            )
        await self._changes.change("directory", UNITS, yaml_text.encode(), who, why)
        self._office.directory.become(preview.directory)
        return preview

    async def undo(self, who: Actor, why: str = "") -> None:
        """Take the last change of the directory back."""
        _, content = self._changes.last(UNITS)
        try:
            before = await self._in_thread(self._directory_of, content)
        except ConfigError as wrong:
            raise OperationRefused("更改前的名录已不可用。", "directory.faults") from wrong
        removed = directory_preview(self._office.directory, before, await self._ledger.orders.all_open_orders())
        if removed.still_owed:
            raise OperationRefused(
                f"要删除的单位还有{len(removed.still_owed)}件未办结工单，请先改派。", "directory.still_owed"
            )
        await self._changes.take_back("directory", UNITS, who, why)
        self._office.directory.become(before)

    def _directory_of(self, content: bytes | None) -> Directory:
        """Return the directory of a text; None: the one configured."""
        settings, hours = self._settings, self._office.hours.settings
        if content is None:
            return changed_directory(settings, settings.directory_file, hours)
        with self._changes.files.trial() as folder:
            path = folder / UNITS
            path.write_bytes(content)
            return changed_directory(settings, path, hours)
