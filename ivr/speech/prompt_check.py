"""Every prompt of a site made and measured, for `hotline check`."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from config.settings import create_data_dir
from ivr.speech.prompt_report import PromptRow, report
from ivr.speech.prompts import PromptBook
from routing.site import Site


def prompt_rows(site: Site) -> list[PromptRow]:
    """Return a row for every prompt, with this site's longest names; runs the reactor, so once in a process."""
    outcome: list[list[PromptRow] | Exception] = []

    async def make(running: Any) -> None:
        try:
            book = PromptBook(site.settings.prompts, create_data_dir(site.settings) / "prompts", running)
            try:
                outcome.append(await report(book, _longest_names(site)))
            finally:
                await book.stop()
        except Exception as wrong:  # raised again outside: the reactor would only print it
            outcome.append(wrong)

    with contextlib.suppress(SystemExit):  # react() would end the process; this one goes on to print
        task.react(lambda running: ensureDeferred(make(running)))
    if not outcome or isinstance(outcome[0], Exception):
        raise outcome[0] if outcome and isinstance(outcome[0], Exception) else RuntimeError("the check was interrupted")
    return outcome[0]


def _longest_names(site: Site) -> dict[str, object]:
    """Return the values that make each prompt of this site as long as it can become."""
    directory, menu = site.directory, site.settings.phone.menu_matters
    served = [matter.name for matter in directory.matters if not matter.belongs_elsewhere]
    elsewhere = [matter.elsewhere_name for matter in directory.matters if matter.belongs_elsewhere]
    values: dict[str, object] = {"matters": [directory.matter(matter_id).name for matter_id in menu]}
    for name, names in (("matter", served), ("unit", [unit.name for unit in directory.units]), ("name", elsewhere)):
        if names:
            values[name] = max(names, key=len)
    return values
