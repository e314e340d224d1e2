"""The report: sums that match, rates with both their numbers, and files that run nothing."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callback_scheduler.orders.call_facts import CallFacts, SurveyFacts
from callback_scheduler.orders.causes import Moment
from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.verdict import Facts, Try, Verdict, judge, milliseconds
from callback_scheduler.reports.calls import total_calls
from callback_scheduler.reports.figures import ErrorBudget, Rate, percentile
from callback_scheduler.reports.files import as_csv, as_json, miss_lines, order_lines, safe, save_xlsx
from callback_scheduler.reports.orders import By, total
from callback_scheduler.reports.report import Material, Question, Report, make_report
from callback_scheduler.reports.rules import rule_named
from callback_scheduler.reports.table import aligned, table, width
from config.hours import HoursSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.hours import Hours
from routing.working_time import WorkingTime

CALENDAR = Calendar()
WORKING = WorkingTime(Hours(HoursSettings()), CALENDAR)
NOW = datetime(2026, 3, 4, 11, 0, tzinfo=SHANGHAI)
UNITS = {"tax": "区税务局", "market": "区市场监管局"}


def ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))


def order(number: int, unit_id: str = "tax", *tries: Try, due: str = "2026-03-04T10:00", **changes: Any) -> Facts:
    opened_ms, counted_as = ms("2026-03-03T20:00"), "after_hours"
    facts = Facts(f"2603031{number:04d}", unit_id, counted_as, "sent", opened_ms, ms(due), tries=tries)
    return facts._replace(**changes)


def talk(at: str) -> Try:
    return Try(ms(at), ms(at), ms(at), True, AttemptOutcome.REACHED.value)


def call(at: str = "2026-03-04T09:00", **changes: Any) -> CallFacts:
    facts = CallFacts(ms(at), True, "tax", "served", 60_000, 0, 0, "none", 0.0, False)
    return facts._replace(**changes)


def report_of(
    orders: list[Facts], calls: list[CallFacts] | None = None, surveys: list[SurveyFacts] | None = None,
    rule: str = "own", since: date = date(2026, 3, 1), **asked: Any,
) -> Report:  # fmt: skip
    question = Question(NOW, rule_named(rule, CALENDAR), since, **asked)
    return make_report(question, Material(orders, calls or [], surveys or []), WORKING, UNITS)


# -- orders -----------------------------------------------------------------------------------------------------------


def test_orders_missed_in_hours_are_counted_apart() -> None:
    report = report_of([order(1, "tax", talk("2026-03-04T09:10")), order(2, counted_as="missed_in_hours")])
    assert total(report.orders["after_hours"]).on_time_rate == Rate(1, 1)
    assert total(report.orders["missed_in_hours"]).on_time_rate == Rate(0, 1)


def test_what_is_settled_before_its_deadline_is_in_the_rate_only_once_that_has_passed() -> None:
    settled = order(1, "tax", talk("2026-03-04T09:10"), due="2026-03-05T10:00")
    row = total(report_of([settled, order(2)]).orders["after_hours"])
    assert row.verdicts[Verdict.ON_TIME] == 1
    assert row.on_time_rate == Rate(0, 1)


def test_rows_of_units_stand_in_the_order_of_the_directory() -> None:
    report = report_of([order(1, "zzz"), order(2, "market"), order(3, "tax"), order(4, "aaa")])
    assert list(report.orders["after_hours"]) == ["tax", "market", "aaa", "zzz"]


def test_a_row_holds_the_same_orders_under_every_rule() -> None:
    orders = [order(1, "tax", talk("2026-03-04T10:30")), order(2, "tax")]
    own, city = (report_of(orders, rule=rule, by=By.DAY) for rule in ("own", "city-24h"))
    assert list(own.orders["after_hours"]) == list(city.orders["after_hours"]) == ["2026-03-04"]
    own_row, city_row = total(own.orders["after_hours"]), total(city.orders["after_hours"])
    assert (own_row.verdicts[Verdict.LATE], own_row.verdicts[Verdict.MISSED]) == (1, 1)
    assert (city_row.verdicts[Verdict.ON_TIME], city_row.verdicts[Verdict.NOT_YET_DUE]) == (1, 1)
    assert [miss.facts.order_id for miss in own.misses] == ["26030310002", "26030310001"]
    assert city.misses == ()


def test_first_contact_is_told_by_the_wall_clock_and_in_working_time() -> None:
    contacts = [order(n, "tax", talk(f"2026-03-04T09:{n:02d}")) for n in range(1, 11)]
    contact = total(report_of(contacts).orders["after_hours"]).first_contact()
    assert contact == {
        "contacted": 10, "wall_p50_min": 785.0, "wall_p90_min": 789.0, "working_p50_min": 5.0, "working_p90_min": 9.0,
    }  # fmt: skip


def test_working_time_leaves_nights_weekends_and_lunch_out() -> None:
    friday_evening, monday_afternoon = ms("2026-03-06T17:00"), ms("2026-03-09T14:00")
    minutes = WORKING.between_ms(friday_evening, monday_afternoon, "tax") / 60_000
    assert minutes == 30 + 3 * 60 + 30
    assert WORKING.between_ms(ms("2026-03-07T08:00"), ms("2026-03-08T20:00"), "tax") == 0


def test_only_what_was_due_in_the_period_and_asked_of_the_unit_is_counted() -> None:
    orders = [order(1), order(2, "market"), order(3, due="2026-03-05T10:00"), order(4, due="2026-02-27T10:00")]
    report = report_of(orders, until=date(2026, 3, 4), unit_id="tax", by=By.MONTH)
    assert {name: row.orders for name, row in report.orders["after_hours"].items()} == {"2026-03": 1}


def test_what_happened_after_the_moment_of_asking_is_not_known_yet() -> None:
    later = [order(1, "tax", talk("2026-03-04T11:30")), order(2, opened_ms=ms("2026-03-04T12:00"))]
    row = total(report_of(later, [call("2026-03-04T11:01")]).orders["after_hours"])
    assert (row.orders, row.verdicts[Verdict.MISSED]) == (1, 1)


MOMENTS = st.sampled_from(["2026-03-03T21:00", "2026-03-04T09:10", "2026-03-04T09:50", "2026-03-04T10:20"])
TRIES = st.builds(
    lambda at, outcome: Try(
        ms(at), ms(at), ms(at) if outcome is AttemptOutcome.REACHED else 0, True, outcome.value
    ),
    MOMENTS,
    st.sampled_from(AttemptOutcome),
)  # fmt: skip
ORDERS = st.builds(
    lambda number, unit_id, tries, due, counted_as, state: order(
        number, unit_id, *tries, due=due, counted_as=counted_as, state=state
    ),
    st.integers(1, 9999),
    st.sampled_from(["tax", "market", "fire"]),
    st.lists(TRIES, max_size=4),
    st.sampled_from(["2026-03-04T10:00", "2026-03-05T10:00", "2026-04-01T10:00"]),
    st.sampled_from(["after_hours", "missed_in_hours"]),
    st.sampled_from(["sent", "closed", "merged"]),
)


@given(st.lists(ORDERS, max_size=30), st.sampled_from(By), st.sampled_from(["own", "city-24h"]))
@settings(max_examples=200, deadline=None)
def test_the_sums_match_however_the_rows_are_cut(orders: list[Facts], by: By, rule: str) -> None:
    report = report_of(orders, by=by, rule=rule)
    due_ms = report.question.rule.due_ms
    counted = Counter(judge(facts, milliseconds(NOW), due_ms(facts)) for facts in orders)
    rows = [row for of_kind in report.orders.values() for row in of_kind.values()]
    assert sum((row.verdicts for row in rows), Counter()) == counted
    assert sum(row.verdicts.total() for row in rows) == len(orders)
    assert sum(row.stages.total() for row in rows) == sum(row.orders for row in rows)
    assert len(report.misses) == counted[Verdict.LATE] + counted[Verdict.MISSED]
    for row in rows:
        assert row.orders == row.verdicts.total() - row.verdicts[Verdict.MERGED]
        assert row.on_time_of_due <= min(row.due, row.verdicts[Verdict.ON_TIME])


# -- calls ------------------------------------------------------------------------------------------------------------


def test_the_two_connect_rates_have_different_denominators_and_neither_hides_its_numbers() -> None:
    asked = ms("2026-03-04T09:00")
    calls = [
        call(asked_ms=asked, answered_ms=asked + 15_000, transfer="accepted", talked_s=10.0),
        call(asked_ms=asked, answered_ms=asked + 15_001, transfer="nobody"),
        call(asked_ms=asked, outcome="abandoned", transfer="abandoned"),
        call(asked_ms=asked, answered_ms=asked + 9, transfer="accepted", talked_s=9.9),
        call(outcome="abandoned", lasted_ms=4_999),
        call(outcome="abandoned", lasted_ms=5_000),
        call(outcome="order"),
    ]
    rates = total_calls(report_of([], calls).calls).rates()
    assert rates["three_way_rate"] == Rate(1, 4)
    assert rates["three_way_rate_without_abandoned"] == Rate(1, 3)
    assert rates["answer_rate"] == Rate(4, 6)
    assert rates["answer_rate_of_all"] == Rate(4, 7)
    assert rates["within_15_s_of_answered"] == Rate(2, 3)
    assert rates["within_15_s_of_asked"] == Rate(2, 4)
    shown = table(report_of([], calls), UNITS, 0)
    assert "三方直转接通率（全部直转）" in shown
    assert "25.00%（1/4）" in shown
    assert "66.67%（4/6）" in shown
    assert "5秒内挂断 1 通" in shown


def test_a_call_that_we_began_is_no_call_offered_but_may_ask_for_a_rating() -> None:
    calls = [call(is_callers=False, was_surveyed=True), call(was_surveyed=True)]
    surveys = [SurveyFacts(ms("2026-03-04T09:10"), "tax", level, solved) for level, solved in ((2, False), (3, None))]
    whole = total_calls(report_of([], calls, surveys).calls)
    assert whole.offered == 1
    assert whole.rates()["participation_rate"] == Rate(2, 2)
    assert whole.rates()["content_rate"] == Rate(1, 2)
    assert whole.rates()["solved_rate"] == Rate(0, 1)


@pytest.mark.parametrize(
    ("connected", "begun", "sentence"),
    [
        (95, 99, "今天还能失 6 个"),
        (90, 100, "今天不能再失 1 个"),
        (0, 0, "今天还没有直转"),
        (89, 100, "今天已低于 90%，须连续接通 10 个才能回到目标"),
    ],
)
def test_the_error_budget_says_how_many_may_still_fail(connected: int, begun: int, sentence: str) -> None:
    assert ErrorBudget(90, Rate(connected, begun)).sentence("今天") == sentence


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 99))
def test_the_error_budget_is_neither_too_large_nor_too_small(connected: int, failed: int, goal: int) -> None:
    budget = ErrorBudget(goal, Rate(connected, connected + failed))
    if budget.left >= 0:
        assert 100 * connected >= goal * (connected + failed + budget.left)
        assert 100 * connected < goal * (connected + failed + budget.left + 1)
    if budget.needed:
        assert 100 * (connected + budget.needed) >= goal * (connected + failed + budget.needed)
        assert 100 * (connected + budget.needed - 1) < goal * (connected + failed + budget.needed - 1)


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


# -- on paper ---------------------------------------------------------------------------------------------------------

EVIL = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", " =1", "\u3000-1"]


def test_columns_line_up_for_chinese_letters() -> None:
    lines = aligned([("单位", "率"), ("区税务局", "—"), ("a", "100.00%（1/1）")]).splitlines()
    assert lines == ["单位" + " " * 18 + "率", "区税务局" + " " * 15 + "—", "a" + " " * 9 + "100.00%（1/1）"]
    assert {width(line) for line in lines} == {24}


def test_the_table_names_the_rule_the_moment_and_every_miss() -> None:
    shown = table(report_of([order(1), order(2), order(3)]), UNITS, misses_shown=2)
    assert "规则：各工单当时的规则  截至 2026-03-04 11:00" in shown
    assert "26030310003  区税务局  时限 03-04 10:00  逾期未回：时限前从未拨打，单位未确认收单。" in shown
    assert "26030310001" not in shown
    assert "共 3 件" in shown
    assert "其余 1 件略" in shown


@pytest.mark.parametrize("cell", EVIL)
def test_no_cell_of_a_csv_is_a_formula(cell: str) -> None:
    assert safe(cell) == f"'{cell}"
    assert safe(-1) == -1
    written = as_csv([("单位",), (cell,)])
    assert written.startswith("\ufeff单位")
    assert list(csv.reader(io.StringIO(written, newline="")))[1] == [f"'{cell}"]


def test_what_somebody_typed_stands_in_a_file_without_the_numbers_in_it() -> None:
    report = report_of([order(1)])
    moment = Moment(report.misses[0].due_at, "书面答复：请改拨 138-0000-1234")
    report = replace(report, misses=(replace(report.misses[0], timeline=(moment,)),))
    written = as_csv(miss_lines(report, UNITS))
    assert "请改拨 138****1234" in written
    assert "0000-1234" not in written


def test_a_workbook_is_made_of_control_characters_too_and_obeys_none(tmp_path: Path) -> None:
    from openpyxl import load_workbook  # noqa: PLC0415

    save_xlsx(report_of([order(1, "evil")]), {"evil": "税务\x1b[2J\x00\u202e\ud800"}, tmp_path / "r.xlsx")
    cells = [cell.value for row in load_workbook(tmp_path / "r.xlsx")["工单"].iter_rows() for cell in row]
    assert "税务\\u001b[2J\\u0000\\u202e\\ud800" in cells


def test_a_unit_with_an_evil_name_is_harmless_in_every_file(tmp_path: Path) -> None:
    from openpyxl import load_workbook  # noqa: PLC0415

    report = report_of([order(1, "evil")])
    units = {"evil": '=HYPERLINK("http://example.org")'}
    assert """"'=HYPERLINK(""" in as_csv(order_lines(report, units))
    save_xlsx(report, units, tmp_path / "r.xlsx")
    book = load_workbook(tmp_path / "r.xlsx")
    assert book.sheetnames == ["工单", "通话", "逾期工单"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.value for cell in cells if "HYPERLINK" in str(cell.value)] == [f"'{units['evil']}"] * 2
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_json_has_numerator_and_denominator_beside_each_rate() -> None:
    said = json.loads(as_json(report_of([order(1)], [call()])))
    after_hours = said["orders"]["after_hours"]
    assert after_hours["total"]["on_time_rate"] == {"numerator": 0, "denominator": 1, "percent": 0.0}
    assert after_hours["rows"]["tax"]["funnel"]["never_dialled"] == 1
    assert said["misses"][0]["cause"] == "时限前从未拨打，单位未确认收单。"
    rates = [fields for name, fields in said["calls"]["total"].items() if name.split("_of_")[0].endswith("rate")]
    assert len(rates) == 6
    assert all(set(rate) == {"numerator", "denominator", "percent"} for rate in rates)


def test_the_list_of_misses_has_a_line_for_each() -> None:
    head, *lines = miss_lines(report_of([order(1), order(2, "market")]), UNITS)
    assert [line[1] for line in lines] == ["区市场监管局", "区税务局"]
    assert len(head) == len(lines[0])
