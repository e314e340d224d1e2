"""A report as a Chinese table for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from callback_scheduler.orders.verdict import Stage, Verdict
from callback_scheduler.reports.calls import ANSWER_GOAL_PERCENT, RATE_WORDS, CallTally, total_calls
from callback_scheduler.reports.orders import By, OrderTally, Rows, total
from callback_scheduler.reports.report import Miss, Report

VERDICT_WORDS = {
    Verdict.ON_TIME: "按时",
    Verdict.SELF_REPORTED: "自行填报",
    Verdict.ATTEMPTED: "已尽责未接通",
    Verdict.LATE: "逾期接通",
    Verdict.MISSED: "逾期未回",
    Verdict.NOT_YET_DUE: "未到期",
    Verdict.MERGED: "并单",
}
STAGE_WORDS = {
    Stage.NEVER_DIALLED: "从未拨打",
    Stage.NOT_ANSWERED: "拨打未应答",
    Stage.NOT_JOINED: "应答未接通",
    Stage.JOINED: "已接通",
}
COUNTED_AS_WORDS = {"after_hours": "非工作时段工单（次紧急）", "missed_in_hours": "工作时段未接通工单",
                    "online": "工作时段在线转入工单"}
BY_WORDS = {By.UNIT: "承办单位", By.DAY: "日期", By.MONTH: "月份"}
TOTAL = "合计"
_WAIT_WORDS = {
    "working_p50_min": "p50工作分钟",
    "working_p90_min": "p90工作分钟",
    "wall_p50_min": "p50自然分钟",
    "wall_p90_min": "p90自然分钟",
}


def table(report: Report, units: Mapping[str, str], misses_shown: int) -> str:
    """Return the whole report; `units` are names by unit_id, and of the misses the latest `misses_shown` are listed."""
    parts = [_title(report)]
    for counted_as, rows in report.orders.items():
        parts.append(f"【{COUNTED_AS_WORDS[counted_as]}】" + ("" if rows else "无"))
        if rows:
            parts += [aligned(_verdict_lines(report, rows, units)), "拨打情况与首次接通用时："]
            parts.append(aligned(_funnel_lines(report, rows, units)))
    parts += ["【通话】", aligned(_call_lines(report, units)), *_call_sentences(report), "【好差评】", _survey(report)]
    parts += [f"【逾期工单】共 {len(report.misses)} 件", *_miss_lines(report.misses[:misses_shown], units)]
    if len(report.misses) > misses_shown:
        parts.append(f"其余 {len(report.misses) - misses_shown} 件略（--misses 列出全部）")
    return "\n".join(parts)


def row_name(name: str, units: Mapping[str, str]) -> str:
    """Return what a row is called on paper: the unit's name, or the day or month itself."""
    return units.get(name, name) or "（未选事项）"


def _title(report: Report) -> str:
    asked = report.question
    until = asked.until.isoformat() if asked.until else "今后"
    return f"企业专席回电考核  {asked.since} 至 {until}  规则：{asked.rule.title}  截至 {asked.at:%Y-%m-%d %H:%M}"


def _named(rows: Rows, units: Mapping[str, str]) -> list[tuple[str, OrderTally]]:
    return [*((row_name(name, units), row) for name, row in rows.items()), (TOTAL, total(rows))]


def _verdict_lines(report: Report, rows: Rows, units: Mapping[str, str]) -> Iterator[Sequence[str]]:
    yield (BY_WORDS[report.question.by], "工单", *VERDICT_WORDS.values(), "按时回复率")
    for name, row in _named(rows, units):
        counts = (str(row.verdicts[verdict]) for verdict in VERDICT_WORDS)
        yield (name, str(row.orders), *counts, str(row.on_time_rate))


def _funnel_lines(report: Report, rows: Rows, units: Mapping[str, str]) -> Iterator[Sequence[str]]:
    yield (BY_WORDS[report.question.by], *STAGE_WORDS.values(), *_WAIT_WORDS.values())
    for name, row in _named(rows, units):
        stages = (str(row.stages[stage]) for stage in STAGE_WORDS)
        yield (name, *stages, *_waits(row.first_contact()))


def _waits(contact: Mapping[str, Any]) -> Iterator[str]:
    for name in _WAIT_WORDS:
        yield "—" if contact[name] is None else f"{contact[name]:.1f}"


def _call_lines(report: Report, units: Mapping[str, str]) -> Iterator[Sequence[str]]:
    yield (BY_WORDS[report.question.by], RATE_WORDS["three_way_rate"], RATE_WORDS["three_way_rate_without_abandoned"])
    named = [(row_name(name, units), row) for name, row in report.calls.items()]
    for name, row in [*named, (TOTAL, total_calls(report.calls))]:
        rates = row.rates()
        yield (name, str(rates["three_way_rate"]), str(rates["three_way_rate_without_abandoned"]))


def _call_sentences(report: Report) -> Iterator[str]:
    whole: CallTally = total_calls(report.calls)
    yield f"三方直转目标 {report.budget.goal_percent}%：{report.budget_today.sentence('今天')}；" + (
        report.budget.sentence("本期")
    )
    rates = whole.rates()
    yield f"{RATE_WORDS['answer_rate']}：{rates['answer_rate']}，目标 ≥ {ANSWER_GOAL_PERCENT}%；" + (
        f"5秒内挂断 {whole.hung_up_early} 通"
    )
    for name in ("answer_rate_of_all", "within_15_s_of_answered", "within_15_s_of_asked"):
        yield f"{RATE_WORDS[name]}：{rates[name]}"
    if report.calls_since:
        yield f"来电记录始于 {report.calls_since:%Y-%m-%d %H:%M}"


def _survey(report: Report) -> str:
    rates = total_calls(report.calls).rates()
    names = ("solved_rate", "content_rate", "participation_rate")
    return "；".join(f"{RATE_WORDS[name]} {rates[name]}" for name in names)


def _miss_lines(misses: Iterable[Miss], units: Mapping[str, str]) -> Iterator[str]:
    for miss in misses:
        unit = row_name(miss.facts.unit_id, units)
        verdict = VERDICT_WORDS[miss.verdict]
        yield f"{miss.facts.order_id}  {unit}  时限 {miss.due_at:%m-%d %H:%M}  {verdict}：{miss.cause}"
        if miss.timeline:
            yield "    " + " → ".join(f"{moment.at:%m-%d %H:%M:%S} {moment.what}" for moment in miss.timeline)


# -- columns ----------------------------------------------------------------------------------------------------------


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of cells in columns, the first to the left, figures to the right; a Chinese letter is two wide."""
    cells = list(lines)
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_line(line, widths) for line in cells)


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    # "A" (ambiguous: — and …) is one column wide in every terminal that is not set to a Chinese legacy font
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [first + " " * (widths[0] - width(first))]
    padded += [" " * (wide - width(cell)) + cell for cell, wide in zip(rest, widths[1:], strict=True)]
    return "  ".join(padded).rstrip()
