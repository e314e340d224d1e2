"""hotline check: every configured file and every prompt, with its length and level."""

from __future__ import annotations

import json
from dataclasses import asdict

from ivr.speech.prompt_check import prompt_rows
from ivr.speech.prompt_report import table
from routing.site import Site


def run(site: Site, *, as_json: bool) -> int:
    """Print what is configured and every prompt; 1 if a prompt is not as it should be."""
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
    if as_json:
        print(json.dumps(facts | {"rows": [asdict(row) for row in rows]}, ensure_ascii=False, indent=2))
    else:
        print(table(rows))
        print("\n" + "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()))
    return 1 if flagged else 0
