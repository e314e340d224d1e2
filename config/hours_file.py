"""The hours section as a file of its own, as administrators edit it at run time; the switch is never in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, time

from pydantic import BaseModel, ConfigDict

from config.hours import Closure, HoursSettings, Windows, WindowSettings
from config.yaml_lines import Document

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
_EXAMPLES = """\
  # weekdays:                             # a weekday that differs; a Saturday is open only when it stands here
  #   friday: [09:00-12:00, 13:30-16:30]
  # units:                                # units whose hours differ from the line's
  #   tax:
  #     workday: [09:00-17:30]
  # closures:                             # closed, whatever the hours say; units: only these
  #   - {start: 2026-03-13T14:00, end: 2026-03-13T17:30, reason: 系统升级, units: [tax]}
"""


class _HoursFile(BaseModel):
    """The section under its key, as it stands in the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: HoursSettings


def hours_of(document: Document) -> HoursSettings:
    """Return the hours of a file; ConfigError with every fault, and if it has a switch."""
    if ("hours", "switch") in document.lines:
        document.faults.append(document.fault(("hours", "switch"), "day and night are switched apart from the hours"))
    return document.validate(_HoursFile).hours


def hours_text(settings: HoursSettings) -> str:
    """Return hours as such a file, with examples of what may be added."""
    lines = ["hours:", *_rules(settings, "  ")]
    if settings.units:
        lines.append("  units:")
    for unit_id, rules in settings.units.items():
        lines += [f"    {_word(unit_id)}:", *_rules(rules, "      ")]
    if settings.closures:
        lines.append("  closures:")
    lines += (f"    - {{{_closure(closure)}}}" for closure in settings.closures)
    return "\n".join(lines) + "\n" + _EXAMPLES


def _rules(rules: WindowSettings, indent: str) -> Iterator[str]:
    yield f"{indent}workday: {_windows(rules.workday)}"
    if rules.weekdays:
        yield f"{indent}weekdays:"
    for weekday, windows in rules.weekdays.items():
        yield f"{indent}  {weekday.value}: {_windows(windows)}"


def _windows(windows: Windows) -> str:
    return f"[{', '.join(f'{_clock(window.start)}-{_clock(window.end)}' for window in windows)}]"


def _closure(closure: Closure) -> str:
    start, end = (_clock(at.replace(tzinfo=None)) for at in (closure.start, closure.end))
    units = f", units: [{', '.join(map(_word, closure.units))}]" if closure.units else ""
    return f"start: {start}, end: {end}, reason: {json.dumps(closure.reason, ensure_ascii=False)}{units}"


def _clock(at: time | datetime) -> str:
    return at.isoformat(timespec="auto" if at.second or at.microsecond else "minutes")


def _word(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name != "null" else json.dumps(name, ensure_ascii=False)
