"""Charts as SVG images of their own: trends of rates, and the funnel from order to talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import pygal
from pygal.style import Style

from callback_scheduler.orders.verdict import Stage
from callback_scheduler.reports.figures import Rate
from callback_scheduler.reports.orders import OrderTally, total
from callback_scheduler.reports.report import Report

SVG = "image/svg+xml"
_FONT = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', sans-serif"
_STYLE = Style(
    background="#ffffff", plot_background="#ffffff", foreground="#1b2330", foreground_strong="#1b2330",
    foreground_subtle="#566072", guide_stroke_color="#d5dae2", major_guide_stroke_color="#d5dae2",
    colors=("#0b5394", "#9a5b00", "#5b6675"), opacity="1", font_family=_FONT, label_font_size=13,
    major_label_font_size=13, legend_font_size=14, value_font_size=13, value_label_font_size=13, title_font_size=15,
)  # fmt: skip
_ROOM_FOR_CHINESE = 48  # pygal takes a letter for half as wide as it is
_SIZES = {False: (860, 300), True: (380, 280)}  # on a desk, on a phone


@dataclass(frozen=True, slots=True)
class TrendDay:
    """One workday: orders due answered on time, and transfers connected."""

    on: date
    on_time: Rate
    three_way: Rate


def trend(report: Report, workdays: Sequence[date]) -> list[TrendDay]:
    """Return the days of a report by day; a day without orders or calls has rates of nothing."""
    rows, days = report.orders["after_hours"], []
    for on in workdays:
        row, calls = rows.get(on.isoformat()), report.calls.get(on.isoformat())
        on_time = row.on_time_rate if row else Rate(0, 0)
        days.append(TrendDay(on, on_time, calls.rates()["three_way_rate"] if calls else Rate(0, 0)))
    return days


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel: `name` is a text's key, `count` of `whole` came so far."""

    name: str
    count: int
    whole: int


def funnel(report: Report) -> list[Step]:
    """Return how far the orders of a report came; each step holds those of the next."""
    whole = OrderTally()
    for rows in report.orders.values():
        whole = whole.merged_with(total(rows))
    stages = whole.stages
    joined = stages[Stage.JOINED]
    answered = joined + stages[Stage.NOT_JOINED]
    dialled = answered + stages[Stage.NOT_ANSWERED]
    counts = {"orders": stages.total(), "dialled": dialled, "answered": answered, "joined": joined}
    return [Step(name, count, stages.total()) for name, count in counts.items()]


Point = tuple[str, float | None]


@lru_cache(maxsize=64)
def trend_svg(labels: tuple[str, ...], lines: tuple[tuple[str, tuple[float | None, ...]], ...], goal: str,
              goal_percent: int, is_narrow: bool) -> bytes:  # fmt: skip
    """Return the chart of some rates (percent, None for a day of nothing) and their goal."""
    lowest = int(min([70.0, *(value for _, values in lines for value in values if value is not None)])) // 10 * 10
    chart = pygal.Line(
        range=(lowest, 100),
        show_minor_x_labels=False, x_labels_major_every=10 if is_narrow else 5, dots_size=3, truncate_legend=-1,
        truncate_label=-1, value_formatter=lambda value: f"{value:g}%", allow_interruptions=True, **_look(is_narrow),
    )  # fmt: skip
    chart.x_labels = labels
    chart.y_labels = range(lowest, 101, 10)
    dashes = ("", "7, 4")
    for (name, values), dash in zip(lines, dashes, strict=False):
        chart.add(name, values, stroke_style={"width": 2.5, **({"dasharray": dash} if dash else {})})
    chart.add(goal, [goal_percent] * len(labels), show_dots=False, stroke_style={"width": 2, "dasharray": "2, 5"})
    return _written(chart)


@lru_cache(maxsize=64)
def funnel_svg(steps: tuple[tuple[str, int], ...], is_narrow: bool) -> bytes:
    """Return the chart of the steps of a funnel."""
    chart = pygal.HorizontalBar(
        show_legend=False, range=(0, max([1, *dict(steps).values()])), show_x_guides=False, show_y_guides=False,
        truncate_label=-1, spacing=14, **{**_look(is_narrow), "margin_left": _ROOM_FOR_CHINESE},
    )  # fmt: skip
    # pygal draws the first of them at the bottom
    chart.x_labels = [f"{name} {count}" for name, count in reversed(steps)]
    chart.add("", [count for _, count in reversed(steps)])
    return _written(chart)


def _look(is_narrow: bool) -> Mapping[str, object]:
    width, height = _SIZES[is_narrow]
    return {
        "style": _STYLE, "width": width, "height": height, "js": (), "legend_at_bottom": True, "margin": 8,
        "legend_at_bottom_columns": 1 if is_narrow else 3, "disable_xml_declaration": False,
    }  # fmt: skip


def _written(chart: pygal.graph.graph.Graph) -> bytes:
    written: bytes = chart.render()
    return written
