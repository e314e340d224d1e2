"""A file that is edited as text in a form: what was sent, which version it began with, and what differs."""

from __future__ import annotations

import difflib
from hashlib import sha256

from console.errors import Impossible
from console.visit import Visit

LARGEST = 2_500_000
_MOST_DIFFERENCE = 400


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


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines that differ with what is around them: kind (added, removed, place, same) and text."""
    kinds = {"+": "added", "-": "removed", "@": "place", " ": "same"}
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm=""))[2:]
    return [(kinds[line[0]], line[1:] if line[0] != "@" else line) for line in lines[:_MOST_DIFFERENCE]]
