"""A report as CSV, JSON and an Excel workbook, none of which runs what somebody typed into a field."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.orders.verdict import Stage, Verdict
from callback_scheduler.reports.calls import RATE_WORDS, total_calls
from callback_scheduler.reports.figures import Rate
from callback_scheduler.reports.orders import OrderTally, total
from callback_scheduler.reports.report import Report
from callback_scheduler.reports.table import (
    BY_WORDS,
    COUNTED_AS_WORDS,
    STAGE_WORDS,
    TOTAL,
    VERDICT_WORDS,
    row_name,
)
from routing.clock import in_shanghai
from routing.masking import masked_text
from routing.visible import visible

Cell = str | int | float | datetime | None
_IN_CSV, _IN_EXCEL = "%Y-%m-%d %H:%M", "yyyy-mm-dd hh:mm"
# OWASP, CSV injection: a cell that begins with one of these is a formula to a spreadsheet.
# Their full-width forms are taken for the same, and so are signs behind a blank or another mark.
_FORMULA_STARTS = tuple("=+-@＝＋－＠")
_BLANKS = " \t\r\n\u3000\u00a0\ufeff"
# Excel takes a file for UTF-8 only with this before it.
_BOM = "\ufeff"


def as_json(report: Report) -> str:
    """Return everything, for machines."""
    return json.dumps(report.as_fields(), ensure_ascii=False, indent=2)


def as_csv(lines: Iterable[Sequence[Cell]]) -> str:
    """Return lines of cells as CSV with a byte order mark; text that a spreadsheet would run is quoted by `'`."""
    out = io.StringIO(newline="")
    out.write(_BOM)
    csv.writer(out).writerows([safe(_as_text(cell)) for cell in line] for line in lines)
    return out.getvalue()


def safe(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula, nor refuses; figures are left as they are."""
    if not isinstance(cell, str):
        return cell
    is_formula = cell.startswith(("\t", "\r")) or cell.lstrip(_BLANKS).startswith(_FORMULA_STARTS)
    shown = "\r".join(map(visible, cell.split("\r")))  # an end of line is one to a spreadsheet, too
    return f"'{shown}" if is_formula else shown


def _as_text(cell: Cell) -> Cell:
    """Return a time as a spreadsheet reads it, on Shanghai's clock; anything else as it is."""
    return f"{in_shanghai(cell):{_IN_CSV}}" if isinstance(cell, datetime) else cell


def save_xlsx(report: Report, units: Mapping[str, str], path: Path) -> None:
    """Write a workbook with a sheet each for orders, calls and misses; OSError if it cannot be written."""
    # slow to import, and only wanted here
    from openpyxl import Workbook  # noqa: PLC0415
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415

    def dated(sheet: Any, at: datetime) -> Any:
        # a workbook knows no zones: it says what Shanghai's clock said
        cell = WriteOnlyCell(sheet, in_shanghai(at).replace(tzinfo=None, second=0, microsecond=0))
        cell.number_format = _IN_EXCEL
        return cell

    with path.open("wb") as file:
        book = Workbook(write_only=True)
        for title, lines in (
            ("工单", order_lines(report, units)),
            ("通话", call_lines(report, units)),
            ("逾期工单", miss_lines(report, units)),
        ):
            sheet = book.create_sheet(title)
            sheet.freeze_panes = "A2"
            for line in lines:
                # openpyxl makes a formula of text that begins with =
                sheet.append([dated(sheet, cell) if isinstance(cell, datetime) else safe(cell) for cell in line])
        book.save(file)


def order_lines(report: Report, units: Mapping[str, str]) -> Iterator[Sequence[Cell]]:
    """Yield a head, then a line for each row of each kind of order, and the totals."""
    contact = ("已接通工单", "自然分钟p50", "自然分钟p90", "工作分钟p50", "工作分钟p90")
    yield ("类别", BY_WORDS[report.question.by], "工单", *VERDICT_WORDS.values(), *_rate_heads("按时回复率"),
           *STAGE_WORDS.values(), *contact)  # fmt: skip
    for counted_as, rows in report.orders.items():
        kind = COUNTED_AS_WORDS[counted_as]
        for name, row in rows.items():
            yield (kind, row_name(name, units), *_order_cells(row))
        yield (kind, TOTAL, *_order_cells(total(rows)))


def _order_cells(row: OrderTally) -> list[Cell]:
    verdicts = [row.verdicts[verdict] for verdict in Verdict]
    stages = [row.stages[stage] for stage in Stage]
    return [row.orders, *verdicts, *_rate_cells(row.on_time_rate), *stages, *row.first_contact().values()]


def call_lines(report: Report, units: Mapping[str, str]) -> Iterator[Sequence[Cell]]:
    """Yield a head, then the rates of the calls of each row, and the totals."""
    heads = [head for words in RATE_WORDS.values() for head in _rate_heads(words)]
    yield (BY_WORDS[report.question.by], "来电", "5秒内挂断", *heads)
    named = [(row_name(name, units), row) for name, row in report.calls.items()]
    for name, row in [*named, (TOTAL, total_calls(report.calls))]:
        rates = row.rates()
        cells = [cell for rate in RATE_WORDS for cell in _rate_cells(rates[rate])]
        yield (name, row.offered, row.hung_up_early, *cells)


def miss_lines(report: Report, units: Mapping[str, str]) -> Iterator[Sequence[Cell]]:
    """Yield a head, then a line for each order that is late or missed."""
    yield ("工单编号", "承办单位", "类别", "来电时间", "办理截止时间", "结论", "原因", "经过")
    for miss in report.misses:
        yield (
            miss.facts.order_id,
            row_name(miss.facts.unit_id, units),
            COUNTED_AS_WORDS[miss.facts.counted_as],
            miss.opened_at,
            miss.due_at,
            VERDICT_WORDS[miss.verdict],
            miss.cause,
            "\n".join(f"{moment.at:%Y-%m-%d %H:%M:%S} {masked_text(moment.what)}" for moment in miss.timeline),
        )


def _rate_heads(name: str) -> tuple[str, str, str]:
    return f"{name}%", f"{name}分子", f"{name}分母"


def _rate_cells(rate: Rate) -> tuple[Cell, Cell, Cell]:
    return rate.percent, rate.part, rate.whole
