"""What an administrator is warned of: deadlines in a closure, and breaches that a notice would have prevented."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from callback_scheduler.orders.closed_deadlines import ClosedDeadline
from config.hours import Closure
from console.people.roles import Role
from node.operations.site.hours_preview import HoursPreview
from node.operations.site.previews import CalendarPreview, Redated
from routing.hours import Opening
from tests.fakes.operations import MORNING
from tests.web.visitors import House, text

OPEN = Opening(True, "工作时段", MORNING + timedelta(hours=3))


def test_a_deadline_in_a_closure_stands_there_with_the_line_that_moves_it() -> None:
    house, day = House(), MORNING + timedelta(days=1)
    closure = Closure(start=MORNING, end=day + timedelta(days=1), reason="台风<停工>")
    of_unit = closure.model_copy(update={"units": ("tax",)})
    hit = (ClosedDeadline(day.date(), closure, "2026-03-11,holiday,台风"), ClosedDeadline(day.date(), of_unit, ""))
    preview = HoursPreview(now_before=OPEN, now_after=OPEN, closed_deadlines=hit)
    house.operations.answers["site.hours.preview"] = preview
    chen = house.visitor(Role.ADMIN)
    form = {"yaml": "hours: {}", "why": "x", "version": "1"}
    page = text(chen.post("/admin/hours/edit/preview", form))
    for words in ("停止服务期间到期的时限", "2026-03-11,holiday,台风", "仅部分单位停止服务", "台风&lt;停工&gt;"):
        assert words in page
    house.operations.answers["site.hours.preview"] = replace(preview, closed_deadlines=())
    assert "停止服务期间到期的时限" not in text(chen.post("/admin/hours/edit/preview", form))


def test_breaches_that_a_notice_would_have_prevented_are_named() -> None:
    house = House()
    prevented = (Redated("2603101009", "tax", MORNING, MORNING + timedelta(days=1)),)
    house.operations.answers["site.calendar.preview"] = CalendarPreview(year=2026, prevented=prevented)
    form = {"csv": "date,type,name\n2026-03-10,holiday,x\n", "why": "x"}
    page = text(house.visitor(Role.ADMIN).post("/admin/calendar/preview", form))
    assert "已记录的逾期中，按此安排本不会发生的：1件" in page
    assert "2603101009" in page
