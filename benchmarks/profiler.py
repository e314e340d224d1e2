"""Where the lines' time goes: by `perf` where this user may run it, else a sentence that says why not."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

_SPAN_S = 6
_MOST_ROWS = 25


def profile(pids: list[int]) -> list[str]:
    """Sample these processes for some seconds; return lines to print, the dearest first, with percent of their CPU."""
    program = shutil.which("perf")
    if program is None:
        return ["no profile: the program perf is missing (Debian: apt-get install linux-perf)"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "perf.data"
        record = subprocess.run(
            [program, "record", "-q", "-F", "499", "-o", str(file), "-p", ",".join(map(str, pids)),
             "--", "sleep", str(_SPAN_S)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if record.returncode != 0 or not file.exists():
            reason = (record.stderr.strip().splitlines() or ["unknown reason"])[0]
            return [f"no profile: perf may not sample here ({reason}); see kernel.perf_event_paranoid"]
        report = subprocess.run(
            [program, "report", "-q", "-i", str(file), "--stdio", "--no-children",
             "-s", "dso,sym", "-t", ";"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return _table(report.stdout)


def _table(report: str) -> list[str]:
    by_place: Counter[str] = Counter()
    rows = []
    for line in report.splitlines():
        percent, _, named = line.partition(";")
        place, separator, symbol = (part.strip() for part in named.partition(";"))
        percent = percent.strip().rstrip("%")
        if separator:
            by_place[place] += float(percent)  # type: ignore[assignment]
            rows.append((float(percent), place, symbol))
    found = [f"{percent:6.1f} %  {place}" for place, percent in by_place.most_common(6)]
    found.append("of these:")
    found += [f"{percent:6.1f} %  {place}  {symbol}" for percent, place, symbol in sorted(rows)[::-1][:_MOST_ROWS]]
    return found
