"""What the demo prints while it plays: what people do, what was proved of it, how long it took, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from callback_scheduler.reports.table import width
from demo.scenes import Proof, Scene, SceneReport
from demo.tones import AudioMatrix

WIDEST = 120
_NARROWEST = 60
_TIME = " " * 12  # as wide as the seconds before a step
_BELOW = " " * 16  # before what belongs to the line above
_MOMENTS = ("started_at", "answered_at", "accepted_at", "ended_at")
_NO_LINE_BEGINS_WITH = "，。；：、！？）》”"


class Telling:
    """Prints a scene as it is played: each step and each claim on a line, behind the seconds since its beginning.

    A line is at most `columns` wide. A file in `folder` is called by its name there: the end tells where the folder is.
    """

    def __init__(self, out: IO[str], columns: int, folder: Path, scenes: Sequence[Scene],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._columns = min(max(columns, _NARROWEST), WIDEST)
        self._folder = f"{folder}/"
        self._scenes = scenes
        self._clock = clock
        self._began = clock()
        self._reports: list[SceneReport] = []

    def line(self, text: str = "", hang: int = 0) -> None:
        """Print a line; what does not fit goes on in the next, `hang` columns from the left."""
        self._print(folded(text, self._columns, hang))

    def scene_begins(self, scene: Scene) -> None:
        """Print which scene comes, of how many."""
        self._began = self._clock()
        heading = f"{self._number(len(self._reports) + 1)}   "
        self.line()
        self.line(heading + scene.title, len(heading))

    def step(self, text: str) -> None:
        """Print what somebody does."""
        self.line(self._seconds() + text, len(_TIME))

    def claim(self, proof: Proof) -> None:
        """Print what was claimed, and whether it was so; behind it, or in one piece below, what was seen."""
        word = "proved  " if proof.held else "FAILED  "
        claimed = folded(f"{self._seconds()}{word}{proof.claim}", self._columns, len(_TIME + word))
        seen = f"   [{proof.seen.replace(self._folder, '')}]" if proof.seen else ""
        if "\n" in seen or width(claimed.split("\n")[-1] + seen) > self._columns:
            seen = "\n" + folded(_BELOW + seen.lstrip(), self._columns, len(_BELOW))
        self._print(claimed + seen)

    def scene_ends(self, report: SceneReport) -> None:
        """Print what there is to see of the scene, how long it took, and how many claims are proved by now."""
        self._reports.append(report)
        if report.matrix is not None:
            for row in matrix_rows(report.matrix):
                self.line(_TIME + row)
        for row, hang in leg_rows(report.call.get("legs", [])):
            self.line(row, hang)
        for order in report.orders:
            self.line(f"{_TIME}工单 {order['order_id']}  {order['reason']}", len(_BELOW))
        scene = self._scenes[len(self._reports) - 1]
        self.line(
            f"{_seconds(report.took_s)}{self._number(len(self._reports))} is over:"
            f" {report.proved} of {_count(scene, report)} claims proved, {self._so_far()} so far", len(_TIME),
        )  # fmt: skip

    def end(self, took_s: float) -> None:
        """Print the scenes in a table, and the total."""
        self.line()
        for number, (scene, report) in enumerate(zip(self._scenes, self._reports, strict=False), 1):
            word = "proved" if report.held else "FAILED"
            counted = f"{report.proved} of {_count(scene, report)}"
            row = f"{_seconds(report.took_s)}{word}  scene {number}  {counted:>6} claims  "
            self.line(row + report.title, len(_BELOW))
        self.line(f"{self._so_far()} claims proved in {took_s} s")

    def _print(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def _number(self, number: int) -> str:
        return f"scene {number} of {len(self._scenes)}"

    def _seconds(self) -> str:
        return _seconds(self._clock() - self._began)

    def _so_far(self) -> str:
        """Return how many claims of all scenes are proved; a scene not yet played counts with what it will claim."""
        played = dict(zip(self._scenes, self._reports, strict=False))
        counts = [_count(scene, played[scene]) if scene in played else scene.claims for scene in self._scenes]
        return f"{sum(report.proved for report in self._reports)} of {sum(counts)}"


def matrix_rows(matrix: AudioMatrix) -> Iterator[str]:
    """Yield who hears whom, in columns as narrow as they can be."""
    rows = matrix.rows()
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for first, *levels in rows:
        figures = (f"{level:>{wide}}" for level, wide in zip(levels, widths[1:], strict=True))
        yield "  ".join([f"{first:<{widths[0]}}", *figures])


def leg_rows(legs: Sequence[Mapping[str, object]]) -> Iterator[tuple[str, int]]:
    """Yield the legs of a call under a heading, each with the column at which its cause goes on in a second line."""
    if legs:
        yield f"    {'leg':<10}  {'number':<11}  rung      answered  accepted  ended       talked", 4
    for leg in legs:
        clocks = "  ".join(f"{_clock(leg[name]):<8}" for name in _MOMENTS)
        row = f"    {leg['role']!s:<10}  {leg['number']!s:<11}  {clocks}  {leg['two_way_s']:>6.1f} s  "
        yield f"{row}{leg['cause']}", len(_BELOW)


def _clock(moment: object) -> str:
    return str(moment)[11:19] if moment else "-"


def _count(scene: Scene, report: SceneReport) -> int:
    """Return how many claims a scene makes, with those that it did not come to because it broke off."""
    return max(len(report.proofs), scene.claims)


def _seconds(seconds: float) -> str:
    return f"{seconds:8.1f} s  "


def folded(text: str, columns: int, hang: int) -> str:
    """Return `text` in lines of at most `columns`, all but the first `hang` to the right; a Chinese letter is two wide.

    A line ends at a space or before a Chinese letter; a word of its own length is cut.
    """
    first, *others = text.split("\n")
    lines = []
    for paragraph in (first, *(" " * hang + other for other in others)):
        rest = paragraph
        while width(rest) > columns:
            at = _end_of_line(rest, columns, hang)
            lines.append(rest[:at].rstrip())
            rest = " " * hang + rest[at:].lstrip()
        lines.append(rest)
    return "\n".join(lines)


def _end_of_line(text: str, columns: int, hang: int) -> int:
    """Return how many letters of `text` make a line."""
    fitting = len(text)
    while width(text[:fitting]) > columns:
        fitting -= 1
    for at in range(fitting, hang, -1):
        if not text[hang:at].strip():
            break
        if text[at - 1] == " " or text[at] == " " or (width(text[at]) > 1 and text[at] not in _NO_LINE_BEGINS_WITH):
            return at
    return fitting
