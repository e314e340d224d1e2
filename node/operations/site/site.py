"""What administrators change while the node runs, part by part: each change is shown before, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.timetable.timetable import Timetable
from config.settings import Settings
from ivr.calls.office import Office
from ivr.speech.prompts import PromptBook
from node.operations.happenings import HappeningsFeed
from node.operations.site.calendar import CalendarOperations
from node.operations.site.changes import InThread, SiteChanges
from node.operations.site.directory import DirectoryOperations
from node.operations.site.hours import HoursOperations
from node.operations.site.prompts import PromptOperations
from node.operations.site.rehearsal import RehearsalOperations
from routing.clock import Clock


class SiteOperations:
    """`changes` has what was changed; the other parts change it. `settings` are those the node was started with."""

    def __init__(
        self, settings: Settings, data_dir: Path, *, office: Office, ledger: Ledger, timetable: Timetable,
        prompts: PromptBook, feed: HappeningsFeed, clock: Clock, reactor: Any, in_thread: InThread = deferToThread,
    ) -> None:  # fmt: skip
        changes = SiteChanges(data_dir, ledger, feed, clock, in_thread=in_thread)
        self.changes = changes
        self.calendar = CalendarOperations(
            changes, office, ledger, timetable, clock, configured=settings.calendar_dir, in_thread=in_thread
        )
        self.hours = HoursOperations(changes, office, clock, configured=settings.hours, in_thread=in_thread)
        self.directory = DirectoryOperations(changes, office, ledger, settings, in_thread=in_thread)
        self.prompts = PromptOperations(changes, prompts, settings.prompts.language, in_thread=in_thread)
        self.rehearsal = RehearsalOperations(office, clock, settings, reactor)
