"""Every change of a site at run time: told to the journal, done, told to who listens, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import DeferredLock

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import SERVICE, Actor
from ivr.refused import OperationRefused
from node.operations.happenings import HappeningsFeed, Topic
from node.operations.site.files import NothingToUndo, SiteFiles, version_of
from routing.clock import Clock
from routing.site_changes import FOLDER

log = structlog.get_logger()

InThread = Callable[..., Any]  # of a function and its arguments: an awaitable of what it returns


class SiteChanges:
    """Every change is an event `site_changed` of the journal, and keeps what was before: it can be taken back.

    Changes lie below data_dir/site, and go before the configured files; see `routing.site_changes`.
    """

    def __init__(
        self, data_dir: Path, ledger: Ledger, feed: HappeningsFeed, clock: Clock, *, in_thread: InThread
    ) -> None:
        self._ledger, self._feed, self._clock = ledger, feed, clock
        self._in_thread = in_thread
        self.files = SiteFiles(data_dir / FOLDER)
        self._one_at_a_time = DeferredLock()

    def sweep_trials(self) -> None:
        """Take away what a node left that was killed while a change was tried out; before any is tried out here."""
        self.files.sweep_trials()

    async def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last changes, newest first: at, what, file, who, why, is_undo, version_before, version_after."""
        events = await self._ledger.history("site_changed")
        return [{"at": event.at.isoformat(), **event.payload} for event in reversed(events[-limit:])]

    async def change(self, what: str, name: str, content: bytes | None, who: Actor, why: str) -> None:
        """Write that a file is changed, then change it; OperationRefused if the disk does not take the file."""
        async with self._one_at_a_time:
            before = await self._in_thread(self.files.read, name)
            await self._tell(what, name, who, why, versions=(before, content), is_undo=False)
            try:
                await self._in_thread(self.files.put, name, content)
            except OSError as wrong:
                raise await self._came_to_nothing(what, name, (content, before), wrong, is_undo=True) from wrong
        self._feed.tell(Topic.SITE, {"what": what, "file": name, "who": str(who)})

    async def take_back(self, what: str, prefix: str, who: Actor, why: str) -> None:
        """Write that the last change of a file is taken back, then do it; OperationRefused if there is none."""
        async with self._one_at_a_time:
            name, content = self.last(prefix)
            before = await self._in_thread(self.files.read, name)
            await self._tell(what, name, who, why, versions=(before, content), is_undo=True)
            try:
                await self._in_thread(self.files.undo, prefix)
            except OSError as wrong:
                raise await self._came_to_nothing(what, name, (content, before), wrong, is_undo=False) from wrong
        self._feed.tell(Topic.SITE, {"what": what, "file": name, "who": str(who)})

    def last(self, prefix: str) -> tuple[str, bytes | None]:
        """Return name, and content before, of the file changed last; OperationRefused if nothing is to be undone."""
        try:
            return self.files.last(prefix)
        except NothingToUndo as wrong:
            raise OperationRefused("没有可以撤销的更改。", "site.nothing_to_undo") from wrong

    async def _came_to_nothing(
        self, what: str, name: str, back: tuple[bytes | None, bytes | None], wrong: OSError, *, is_undo: bool
    ) -> OperationRefused:
        """Write that a change was not made after all, or the list of changes would show it; return what to raise."""
        log.error("site_file_not_written", what=what, file=name, error=str(wrong))
        await self._tell(what, name, SERVICE, "文件未能写入，没有更改", versions=back, is_undo=is_undo)
        return OperationRefused("文件未能写入磁盘，没有更改，请稍后再试。", "site.not_written")

    async def _tell(
        self, what: str, name: str, who: Actor, why: str, *, versions: tuple[bytes | None, bytes | None], is_undo: bool
    ) -> None:
        before, after = map(version_of, versions)
        payload = {
            "what": what, "file": name, "who": str(who), "why": why, "is_undo": is_undo,
            "version_before": before, "version_after": after,
        }  # fmt: skip
        await self._ledger.write("site_changed", payload, self._clock.now())
        log.info("site_changed", what=what, file=name, who=str(who), is_undo=is_undo)
