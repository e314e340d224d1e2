"""hotline check: every configured file and every prompt, with its length and level."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime, time

from callback_scheduler.orders.closed_deadlines import closed_deadlines
from ivr.speech.prompt_check import prompt_rows
from ivr.speech.prompt_report import table
from routing.calendar_file import strangers_in
from routing.clock import SHANGHAI, SystemClock
from routing.site import Site

# The State Council gives its notice of the next year's holidays in the first half of November.
_NOTICE_IS_OUT = (11, 1)


def run(site: Site, *, as_json: bool, today: date | None = None) -> int:
    """Print what is configured, what is missing, and every prompt; 1 if a prompt is not as it should be.

    `today` None is that of the machine's clock.
    """
    rows = prompt_rows(site)
    flagged = [row for row in rows if row.flags]
    facts = {
        "matters": len(site.directory.matters),
        "units": len(site.directory.units),
        "seats": len(site.directory.seats),
        "calendar": site.calendar.version,
        "workdays_known_until": site.calendar.covers_until.isoformat(),
        "prompts": len(rows),
        "prompts_flagged": len(flagged),
    }
    warnings = warnings_of(site, today or SystemClock().now().date())
    if as_json:
        told = facts | {"warnings": warnings, "rows": [asdict(row) for row in rows]}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(table(rows))
        print("\n" + "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()))
        for warning in warnings:
            print(f"warning: {warning}")
    return 1 if flagged else 0


def warnings_of(site: Site, today: date) -> list[str]:
    """Return what nobody would notice before it does harm."""
    found = []
    next_year = today.year + ((today.month, today.day) >= _NOTICE_IS_OUT)
    if site.calendar.covers_until.year < next_year:
        found.append(
            f"the holidays of {next_year} are missing: deadlines in it are provisional until {next_year}.csv is in "
            f"{site.settings.calendar_dir}, or loaded under 日历 in the console"
        )
    now = datetime.combine(today, time.min, SHANGHAI)
    found += [
        f"the closure {one.closure.reason!r} covers the deadline of {one.on} 10:00, which does not move by it"
        + (f": if it shall, add {one.calendar_row!r} to {one.on.year}.csv" if one.calendar_row else "")
        for one in closed_deadlines(site.settings.hours.closures, site.calendar, now)
    ]
    if strangers := strangers_in(site.settings.calendar_dir):
        found.append(f"not read in {site.settings.calendar_dir}, only YYYY.csv is: {', '.join(strangers)}")
    return found
