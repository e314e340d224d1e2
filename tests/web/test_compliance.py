"""The supervisor's home: what is at risk and why, each figure with its orders, the choice of period, unit and rule."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy
import pytest
import soundfile

from callback_scheduler.orders.order import AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import Verdict
from console.people.roles import Role
from console.supervisor.risk import Best, Why, at_risk, risk_of
from console.supervisor.waveform import waveform
from tests.web.supervised import NOW, Supervised, an_attempt, due_today, opened
from tests.web.visitors import Visitor, header, text

LEADERS = frozenset({"tax", "market"})
A = AttemptOutcome


@pytest.fixture
def house() -> Supervised:
    return Supervised()


@pytest.fixture
def supervisor(house: Supervised) -> Visitor:
    return house.visitor(Role.SUPERVISOR)


def tried(*outcomes: AttemptOutcome, **changes: Any) -> Order:
    attempts = tuple(an_attempt(outcome, NOW - timedelta(minutes=30 - 5 * n)) for n, outcome in enumerate(outcomes))
    state = OrderState.NOT_REACHED if outcomes else OrderState.SENT
    return due_today(**({"attempts": attempts, "state": state} | changes))


@pytest.mark.parametrize(
    ("order", "why", "best"),
    [
        (due_today(), Why.NEVER_DIALLED, Best.RING),
        (due_today(acknowledged_at=NOW), Why.ONLY_SEEN, Best.RING),
        (due_today(state=OrderState.RETURNED, return_reason="不归我们"), Why.RETURNED, Best.REASSIGN),
        (due_today(state=OrderState.SELF_REPORTED, self_reported_at=NOW), Why.CLAIMED, Best.RING),
        (due_today(callback_number=""), Why.NO_NUMBER, Best.REMIND),
        (due_today(state=OrderState.CALLING_BACK), Why.UNDER_WAY, Best.WATCH),
        (tried(A.UNIT_NO_ANSWER), Why.UNIT_SILENT, Best.RING),
        (tried(A.UNIT_NO_ANSWER, A.UNIT_BUSY), Why.UNIT_SILENT, Best.REMIND),
        (tried(A.ENTERPRISE_NO_ANSWER), Why.ENTERPRISE_AWAY, Best.RING),
        (tried(A.IN_TEN_MINUTES, promised_at=NOW + timedelta(minutes=5)), Why.PROMISED, Best.WATCH),
        (tried(A.IN_TEN_MINUTES, promised_at=NOW - timedelta(minutes=5)), Why.PROMISE_BROKEN, Best.RING),
        (tried(A.UNKNOWN, dial_after=NOW + timedelta(minutes=2)), Why.UNCERTAIN, Best.WATCH),
    ],
)
def test_each_situation_has_its_reason_and_its_one_best_act(order: Order, why: Why, best: Best) -> None:
    risk = risk_of(order, NOW, has_leader=True)
    assert (risk.why, risk.best) == (why, best)


def test_twenty_minutes_before_the_deadline_a_silent_unit_is_its_leaders_matter() -> None:
    order = tried(A.UNIT_NO_ANSWER)
    assert risk_of(order, order.due_at - timedelta(minutes=21), has_leader=True).best is Best.RING
    assert risk_of(order, order.due_at - timedelta(minutes=20), has_leader=True).best is Best.REMIND
    assert risk_of(order, order.due_at - timedelta(minutes=20), has_leader=False).best is Best.RING


def test_what_can_be_saved_stands_before_what_is_late_and_each_by_its_deadline() -> None:
    late = replace(due_today(), deadline=replace(due_today().deadline, due_at=NOW - timedelta(days=1)))
    later = replace(due_today(), deadline=replace(due_today().deadline, due_at=NOW + timedelta(hours=5)))
    tomorrow = replace(due_today(), deadline=replace(due_today().deadline, due_at=NOW + timedelta(days=1)))
    returned = replace(tomorrow, order_id="r", state=OrderState.RETURNED)
    soon, closed = due_today(), due_today(state=OrderState.CLOSED)
    listed = at_risk([late, later, tomorrow, returned, soon, closed], NOW, LEADERS)
    assert [risk.order.order_id for risk in listed] == [one.order_id for one in (soon, later, returned, late)]


def test_the_page_shows_each_order_at_risk_with_why_and_one_button(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today(state=OrderState.RETURNED, return_reason="<b>不归我们</b>"))
    page = text(supervisor.get("/compliance"))
    assert "单位已退单（&lt;b&gt;不归我们&lt;/b&gt;），等待改派。" in page
    risk = page[page.index('<li id="risk-') : page.index("</ol>", page.index('<li id="risk-'))]
    assert re.findall(r'class="button" data-act href="([^"]+)"', risk) == [
        f"/orders/{order.order_id}/act/reassign?back=compliance"
    ]
    assert "还剩" in risk
    assert order.callback_number not in page


def test_an_order_that_nobody_has_is_shown_however_far_its_deadline(house: Supervised, supervisor: Visitor) -> None:
    later = replace(due_today().deadline, due_at=NOW + timedelta(days=9))
    returned = house.put(due_today(deadline=later, state=OrderState.RETURNED, return_reason="不归我们"))
    sent = house.put(due_today(deadline=later))
    page = text(supervisor.get("/compliance/now"))
    assert returned.order_id in page
    assert sent.order_id not in page


def test_nothing_at_risk_says_so(supervisor: Visitor) -> None:
    page = text(supervisor.get("/compliance"))
    assert "现在没有需要处理的工单" in page
    assert "今天没有到期的工单" in page


def test_every_figure_of_a_unit_opens_exactly_the_orders_it_counts(house: Supervised, supervisor: Visitor) -> None:
    house.put_a_month()
    page = text(supervisor.get("/compliance?period=month"))
    table = page[page.index('<table class="figures">') : page.index("</table>", page.index('<table class="figures">'))]
    links = re.findall(r'<a href="(/orders\?[^"]+)">(\d+)</a>', table)
    assert len(links) > 8
    for link, count in links:
        listed = text(supervisor.get(link.replace("&amp;", "&")))
        assert f"共{count}件" in listed, link
        assert len(re.findall(r'<th scope="row"><a href="/orders/', listed)) == min(50, int(count)), link


def test_the_fragment_is_the_upper_part_alone(house: Supervised, supervisor: Visitor) -> None:
    house.put(due_today())
    fragment = text(supervisor.get("/compliance/now?unit=tax"))
    assert 'id="now"' in fragment
    assert "<html" not in fragment
    assert "data-countdown-s=" in fragment


def test_a_unit_of_choice_narrows_everything(house: Supervised, supervisor: Visitor) -> None:
    tax, market = house.put(due_today()), house.put(due_today(unit_id="market"))
    page = text(supervisor.get("/compliance?unit=market"))
    assert market.order_id in page
    assert tax.order_id not in page
    assert all(one.unit_id == "market" for one in house.questions)


@pytest.mark.parametrize(
    "query",
    [
        "period=ever", "unit=nobody", "rule=mine", "period=chosen&since=x",
        "period=chosen&since=2026-03-02&until=2026-03-01", "period=chosen&since=1999-01-01",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(supervisor: Visitor, query: str) -> None:
    assert supervisor.get(f"/compliance?{query}").status == 400


@pytest.mark.parametrize("role", [Role.UNIT, Role.SEAT, Role.ADMIN])
@pytest.mark.parametrize("path", ["/compliance", "/orders", "/reports/month.csv", "/compliance/now"])
def test_nobody_but_supervisors_sees_it(house: Supervised, role: Role, path: str) -> None:
    assert house.visitor(role).get(path).status == 403


def test_another_rule_is_passed_on_to_every_list(house: Supervised, supervisor: Visitor) -> None:
    house.put_a_month()
    page = text(supervisor.get("/compliance?period=month&rule=city-24h"))
    links = re.findall(r'<td class="number"><a href="(/orders\?[^"]+)"', page)
    assert {parse_qs(urlsplit(link.replace("&amp;", "&")).query)["rule"][0] for link in links} == {"city-24h"}


def test_the_charts_are_pictures_with_tables_beside(house: Supervised, supervisor: Visitor) -> None:
    house.put_a_month()
    page = text(supervisor.get("/compliance?period=month"))
    for link in re.findall(r'src="(/compliance/chart/[^"]+)"', page):
        answer = supervisor.get(link.replace("&amp;", "&"))
        assert header(answer, "Content-Security-Policy")
        assert answer.content_type == "image/svg+xml"
        assert answer.body.count(b"<svg") == 1
    assert "以表格查看" in page
    assert supervisor.get("/compliance/chart/other.svg").status == 404


def test_english_is_there_too(house: Supervised, supervisor: Visitor) -> None:
    house.put(due_today())
    page = text(supervisor.get("/compliance?lang=en"))
    assert "Neither acknowledged nor ever dialled." in page
    assert "Ring the unit now" in page


# -- the list of orders -----------------------------------------------------------------------------------------------


def test_a_search_finds_by_number_by_the_end_of_a_phone_and_by_company(
    house: Supervised, supervisor: Visitor
) -> None:
    wanted = house.put(due_today(company="示例餐饮", callback_number="13900007788"))
    other = house.put(due_today(company="别家"))
    for words in ("7788", "餐饮", wanted.order_id[-5:]):
        page = text(supervisor.get(f"/orders?q={words}"))
        assert wanted.order_id in page, words
        assert other.order_id not in page, words
    whole = supervisor.get(f"/orders?q={wanted.order_id}")
    assert (whole.status, header(whole, "Location")) == (303, f"/orders/{wanted.order_id}")
    assert "没有找到" in text(supervisor.get("/orders?q=没有这家"))


def test_long_lists_come_in_pages(house: Supervised, supervisor: Visitor) -> None:
    orders = [house.put(due_today()) for _ in range(60)]
    first, second = (text(supervisor.get(f"/orders?page={n}")) for n in (1, 2))
    rows = [re.findall(r'<th scope="row"><a href="/orders/(\d+)"', page) for page in (first, second)]
    assert [len(one) for one in rows] == [50, 10]
    assert {*rows[0], *rows[1]} == {order.order_id for order in orders}
    assert 'rel="next"' in first
    assert 'rel="next"' not in second


@pytest.mark.parametrize("query", ["verdict=good", "kind=x", "reached=moon", "page=0", "page=x"])
def test_a_list_of_what_there_is_not_is_refused(supervisor: Visitor, query: str) -> None:
    assert supervisor.get(f"/orders?{query}").status == 400


def test_numbers_in_lists_are_masked_and_names_are_escaped(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today(company="<script>x</script>"))
    page = text(supervisor.get("/orders"))
    assert "&lt;script&gt;x" in page
    assert order.callback_number not in page


# -- the month --------------------------------------------------------------------------------------------------------


def test_the_month_is_the_report_of_its_days(house: Supervised, supervisor: Visitor) -> None:
    house.put_a_month()
    page = text(supervisor.get("/reports/month?month=2026-03&unit=tax&rule=workday-10:00"))
    asked = house.questions[-1]
    assert (str(asked.since), str(asked.until), asked.unit_id, asked.rule.name) == (
        "2026-03-01", "2026-03-31", "tax", "workday-10:00",
    )  # fmt: skip
    assert "月报（2026-03）" in page
    assert supervisor.get("/reports/month?month=March").status == 400


def test_files_of_the_month_run_nothing_in_a_spreadsheet(house: Supervised, supervisor: Visitor) -> None:
    house.put(opened(NOW - timedelta(days=4), unit_id="=cmd()", state=OrderState.NOT_REACHED))
    answer = supervisor.get("/reports/month.csv?month=2026-03&table=misses")
    assert "'=cmd()" in answer.body.decode("utf-8-sig")
    assert header(answer, "Content-Disposition") == 'attachment; filename="hotline-2026-03-misses.csv"'
    assert supervisor.get("/reports/month.xlsx?month=2026-03").body[:2] == b"PK"
    assert supervisor.get("/reports/month.csv?table=secrets").status == 400


def test_misses_tell_their_cause(house: Supervised, supervisor: Visitor) -> None:
    house.put(opened(NOW - timedelta(days=4), state=OrderState.NOT_REACHED))
    assert "时限前从未拨打" in text(supervisor.get("/reports/month?month=2026-03"))
    report = house.last_report
    assert [miss.verdict for miss in report.misses] == [Verdict.MISSED]
    shown = text(supervisor.get("/reports/month?month=2026-03&lang=en"))
    assert "Never dialled before the deadline; never acknowledged by the unit." in shown
    assert "时限前" not in shown


def test_a_waveform_is_as_loud_as_the_sound(tmp_path: Any) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, numpy.concatenate([numpy.zeros(8000), numpy.full(8000, 0.5)]), 8000)
    heights = [float(one) for one in re.findall(r"v([\d.]+)", waveform(path).decode())]
    quiet, loud = heights[: len(heights) // 2 - 1], heights[len(heights) // 2 + 1 :]
    assert max(quiet) < 5
    assert min(loud) > 80


def test_the_day_of_the_fixture_is_a_workday_before_ten() -> None:
    assert NOW < due_today().due_at == datetime(2026, 3, 10, 10, 0, tzinfo=NOW.tzinfo)
