"""A file that is edited as text in a form: what was sent, which version it began with, and what differs."""

from __future__ import annotations

import difflib
from hashlib import sha256
from itertools import islice

from console.errors import Impossible
from console.visit import Visit

LARGEST = 2_500_000
_MOST_DIFFERENCE, _MOST_COMPARED = 400, 2000


def sent(visit: Visit) -> str:
    """Return the text of the form; browsers send lines ended as on typewriters."""
    visit.needed("yaml")
    return visit.form["yaml"].replace("\r\n", "\n")


def version_of(text: str) -> str:
    """Return what names a text: a form carries it, so that nobody overwrites what another changed meanwhile."""
    return sha256(text.encode()).hexdigest()[:12]


def check_unchanged(visit: Visit, text: str) -> None:
    """Raise Impossible if `text`, as it counts now, is not the one that the form began with."""
    if visit.form.get("version") != version_of(text):
        raise Impossible(key="admin.changed_meanwhile")


async def difference(visit: Visit, before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines that differ with what is around them: kind (added, removed, place, same) and text."""
    # two long texts with nothing in common take seconds to compare
    lines = await visit.console.in_thread(lambda: compared(before.splitlines(), after.splitlines()))
    kinds = {"+": "added", "-": "removed", "@": "place", " ": "same"}
    return [(kinds[line[0]], line[1:] if line[0] != "@" else line) for line in lines]


def compared(before: list[str], after: list[str]) -> list[str]:
    """Return the first lines of a unified difference; where too much differs, all that goes and all that comes."""
    alike = _alike(before, after)
    same_end = _alike(before[alike:][::-1], after[alike:][::-1])
    changed = [lines[alike : len(lines) - same_end] for lines in (before, after)]
    if max(map(len, changed)) > _MOST_COMPARED:
        gone, new = changed
        shown = [f"@@ -{alike + 1},{len(gone)} +{alike + 1},{len(new)} @@"]
        shown += [f"-{line}" for line in gone[: _MOST_DIFFERENCE // 2]]
        return shown + [f"+{line}" for line in new[: _MOST_DIFFERENCE // 2]]
    lines = difflib.unified_diff(before, after, n=2, lineterm="")
    return list(islice(lines, 2, 2 + _MOST_DIFFERENCE))


def _alike(before: list[str], after: list[str]) -> int:
    """Return how many lines are the same at the beginning."""
    return next(
        (place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
        min(len(before), len(after)),
    )
