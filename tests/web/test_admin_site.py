"""The administrator's pages: each change is shown before it counts, has a reason, is audited, is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.ledger.verification import Broken
from config.hours_file import hours_text
from console.admin.overview import undoable
from console.people.roles import Role
from ivr.refused import OperationRefused
from node.operations.site.hours_preview import HoursPreview, hours_preview
from node.operations.site.previews import BadLine, CalendarPreview, DayChange, DirectoryPreview, Redated
from routing.hours import Closure, Hours, Switch, Window
from tests.fakes.operations import MORNING
from tests.fakes.site_operations import CONFIG
from tests.web.visitors import House, Visitor, finished, header, text

NOTICE = "date,type,name\n2027-01-01,放假,元旦\n"
UNITS = (CONFIG.parent / "units.yaml").read_text(encoding="utf-8")
DUE = MORNING + timedelta(days=1)
PREVIEW = CalendarPreview(
    year=2027, version_before="v1", version_after="v2",
    days=(DayChange(date(2027, 1, 1), "workday", "holiday", "", "元旦", was_provisional=True),),
    moved=(Redated("2603101001", "tax", DUE, DUE + timedelta(days=3)),),
)  # fmt: skip
GREETING: dict[str, Any] = {
    "name": "greeting", "text": "您好 & 欢迎", "takes": [], "limit_s": 4.0, "is_tone": False, "is_recorded": False,
    "is_changed": False,
}  # fmt: skip


@pytest.fixture
def house() -> House:
    house = House()
    house.operations.answers |= {
        "site.calendar.preview": PREVIEW, "site.calendar.apply": PREVIEW, "site.directory.text": UNITS,
        "site.directory.preview": DirectoryPreview(units_changed=("tax",)), "site.prompts.list_prompts": [GREETING],
        "site.prompts.figures": {},
    }  # fmt: skip
    return house


@pytest.fixture
def chen(house: House) -> Visitor:
    return house.visitor(Role.ADMIN, name="chen")


def acts(house: House, *verbs: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Return what was asked of the site, of these verbs."""
    return [act for act in house.operations.acts if act[0] in verbs]


def change(**fields: Any) -> dict[str, Any]:
    """Return a change as the site tells of it."""
    usual = {"at": MORNING.isoformat(), "what": "calendar", "file": "calendar/2027.csv", "who": "admin:chen",
             "why": "国办通知", "is_undo": False, "version_before": "", "version_after": "abc"}  # fmt: skip
    return usual | fields


# -- calendar ---------------------------------------------------------------------------------------------------------


def test_the_year_view_tells_holidays_make_up_workdays_and_what_is_a_guess(chen: Visitor) -> None:
    known = text(chen.get("/admin/calendar?year=2026"))
    assert "已公布" in known
    assert known.count('class="month"') == 12
    assert "2026-02-14" in known, "a make-up workday"
    assert "调休上班" in known
    guessed = text(chen.get("/admin/calendar?year=2027"))
    assert "is-provisional" in guessed
    assert "按周末和法定节假日推算" in guessed
    for wrong in ("1999", "x", "²⁰²⁶", "99999"):
        assert chen.get(f"/admin/calendar?year={wrong}").status == 404


def test_a_notice_is_shown_with_the_orders_it_re_dates_before_anything_is_changed(house: House, chen: Visitor) -> None:
    page = text(chen.post("/admin/calendar/preview", {"csv": NOTICE, "why": "国办通知"}))
    row = page.partition('data-order="2603101001"')[2].partition("</tr>")[0]
    assert row.index("明天 09:05") < row.index("3月14日 09:05")
    assert "2027-01-01" in page
    assert acts(house, "site.calendar.apply") == []
    assert acts(house, "site.rehearsal.play") == [("site.rehearsal.play", (PREVIEW,))]


def test_a_wrong_notice_comes_back_with_each_fault_by_its_line_and_cannot_be_applied(
    house: House, chen: Visitor
) -> None:
    fault = BadLine(2, "type", "'<b>' is none of holiday")
    house.operations.answers["site.calendar.preview"] = CalendarPreview(year=2027, faults=(fault,))
    answer = chen.post("/admin/calendar/preview", {"csv": NOTICE, "why": "x"})
    page = text(answer)
    assert answer.status == 422
    assert "第2行" in page
    assert "2027-01-01,放假,元旦" in page
    assert "&lt;b&gt;" in page
    assert 'id="apply"' not in page
    assert acts(house, "site.rehearsal.play") == []


def test_a_notice_is_applied_with_its_reason_unless_the_calendar_changed_meanwhile(house: House, chen: Visitor) -> None:
    form = {"csv": NOTICE, "why": "国办通知", "version": "of before"}
    assert chen.post("/admin/calendar/apply", form).status == 409
    assert chen.post("/admin/calendar/apply", form | {"why": " "}).status == 400
    assert acts(house, "site.calendar.apply") == []
    answer = chen.post("/admin/calendar/apply", form | {"version": house.operations.calendar.version})
    assert header(answer, "location") == "/admin/calendar?year=2027"
    assert acts(house, "site.calendar.apply") == [("site.calendar.apply", (NOTICE.strip(), "admin:chen", "国办通知"))]
    act = house.audit.acts[-1]
    assert (act.about, act.why) == ("2027", "国办通知")
    assert "1 orders re-dated" in act.result


def test_what_is_taken_back_is_told_and_needs_a_reason(house: House, chen: Visitor) -> None:
    house.operations.answers["site.changes.latest"] = [change()]
    assert "撤销 今天 09:05 chen" in text(chen.get("/admin/calendar")).replace("将撤销", "撤销")
    assert chen.post("/admin/calendar/undo").status == 400
    assert chen.post("/admin/calendar/undo", {"why": "有更正"}).status == 303
    assert acts(house, "site.calendar.undo") == [("site.calendar.undo", ("admin:chen", "有更正"))]
    house.operations.answers["site.calendar.undo"] = OperationRefused("没有可以撤销的更改。", "site.nothing_to_undo")
    refused = chen.post("/admin/calendar/undo", {"why": "再撤"})
    assert refused.status == 409
    assert "没有可以撤销的更改" in text(refused)


def test_the_next_change_to_take_back_is_the_last_that_was_not_taken_back_yet() -> None:
    first, second, undo = change(why="1"), change(why="2"), change(is_undo=True)
    assert undoable([]) is None
    assert undoable([second, first]) == second
    assert undoable([undo, second, first]) == first
    assert undoable([undo, undo, second, first]) is None


# -- day and night ----------------------------------------------------------------------------------------------------


def test_the_switch_is_shown_before_it_counts_then_set_with_reason_and_end(house: House, chen: Visitor) -> None:
    form = {"state": "night", "until": "2026-03-10T11:00", "why": "防汛演练"}
    page = text(chen.post("/admin/hours/preview", form))
    assert page.index("从现在到今天 11:00") < page.index("今天 11:00起")
    assert acts(house, "site.hours.set_switch") == []
    assert chen.post("/admin/hours/apply", form).status == 303
    ((_, (state, reason, until, who)),) = acts(house, "site.hours.set_switch")
    assert (state, reason, who) == ("night", "防汛演练", "admin:chen")
    assert until.isoformat() == "2026-03-10T11:00:00+08:00"
    assert house.audit.acts[-1].why == "防汛演练"


@pytest.mark.parametrize(
    "wrong", [{"state": "noon"}, {"until": "soon"}, {"until": ""}, {"until": "2026-03-10T09:00"}, {"why": " "}]
)
def test_a_switch_without_state_reason_or_an_end_to_come_is_refused(
    house: House, chen: Visitor, wrong: dict[str, str]
) -> None:
    form = {"state": "night", "until": "2026-03-10T11:00", "why": "防汛"} | wrong
    assert chen.post("/admin/hours/preview", form).status == 400
    assert chen.post("/admin/hours/apply", form).status == 400
    assert acts(house, "site.hours.set_switch") == []


def test_hours_show_the_days_to_come_and_the_units_with_hours_of_their_own(chen: Visitor) -> None:
    page = text(chen.get("/admin/hours"))
    assert "09:00–12:00" in page
    assert "区行政服务中心：09:00–17:30" in page


# -- hours and closures -----------------------------------------------------------------------------------------------


def other_hours(house: House) -> tuple[str, HoursPreview]:
    """Return the text of hours with an earlier opening and a closure of the tax unit, and the real preview of it."""
    before = house.operations.hours
    workday = (Window(time(8), time(12)), *before.settings.workday[1:])
    closure = Closure(start=MORNING, end=MORNING + timedelta(hours=2), reason="搬迁 & 整理", units=("tax",))
    after = before.settings.model_copy(update={"workday": workday, "closures": (closure,)})
    found = hours_preview(before, Hours(after), house.operations.calendar, MORNING)
    house.operations.answers["site.hours.preview"] = found
    return hours_text(after), found


def hours_version(visitor: Visitor) -> str:
    return text(visitor.get("/admin/hours/edit")).partition('name="version" value="')[2].partition('"')[0]


def test_other_hours_are_shown_with_the_week_before_they_are_applied_with_their_reason(
    house: House, chen: Visitor
) -> None:
    typed, found = other_hours(house)
    form = {"yaml": typed.replace("\n", "\r\n"), "why": "提前一小时", "version": hours_version(chen)}
    page = text(chen.post("/admin/hours/edit/preview", form))
    told = page.partition('id="changes"')[2].partition("</ul>")[0]
    places = [told.index(words) for words in ("热线 工作日", "08:00–12:00", "搬迁 &amp; 整理", "区税务局")]
    assert places == sorted(places)
    week = page.partition('id="openings"')[2].partition("</table>")[0]
    assert week.count("<tr>") == len(found.openings) + 1
    assert "08:00–12:00" in week
    assert "未办结工单的时限不变" in page
    assert acts(house, "site.hours.apply") == []
    assert chen.post("/admin/hours/edit/apply", form | {"why": " "}).status == 400
    assert header(chen.post("/admin/hours/edit/apply", form), "location") == "/admin/hours"
    assert acts(house, "site.hours.apply") == [("site.hours.apply", (typed, "admin:chen", "提前一小时"))]
    act = house.audit.acts[-1]
    assert (act.what, act.why) == ("admin_hours_edit.apply_hours", "提前一小时")


def test_hours_that_somebody_changed_meanwhile_are_not_overwritten(house: House, chen: Visitor) -> None:
    typed, _ = other_hours(house)
    form = {"yaml": typed, "why": "提前一小时", "version": hours_version(chen)}
    house.operations.answers["site.hours.text"] += "# changed\n"
    page = text(chen.post("/admin/hours/edit/preview", form))
    assert "已有别的更改" in page
    assert "disabled" in page.partition('id="apply"')[2].partition(">")[0]
    assert chen.post("/admin/hours/edit/apply", form).status == 409
    assert acts(house, "site.hours.apply") == []


def test_faults_of_hours_are_told_by_line_and_what_was_typed_is_kept(house: House, chen: Visitor) -> None:
    fault = BadLine(2, "hours.workday[0]", "the window closes before it opens")
    house.operations.answers["site.hours.preview"] = HoursPreview(faults=(fault,))
    typed = "hours:\n  workday: [12:00-09:00] # </textarea>"
    answer = chen.post("/admin/hours/edit/preview", {"yaml": typed, "why": "x", "version": "1"})
    page = text(answer)
    assert answer.status == 422
    assert "第2行" in page
    assert "hours.workday[0]" in page
    assert "# &lt;/textarea&gt;" in page
    assert 'id="apply"' not in page


def test_a_switch_that_is_set_is_told_on_the_preview_to_go_on(
    house: House, chen: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, _ = other_hours(house)
    form = {"yaml": typed, "why": "x", "version": hours_version(chen)}
    assert "人工切换保持不变" not in text(chen.post("/admin/hours/edit/preview", form))
    switch = Switch(state="night", reason="防汛", until=MORNING + timedelta(hours=1))
    switched = house.operations.hours.switched(switch)
    monkeypatch.setattr(type(house.operations), "hours", property(lambda _: switched))
    assert "人工切换保持不变" in text(chen.post("/admin/hours/edit/preview", form))


def test_only_a_change_of_hours_is_offered_to_be_taken_back_however_often_the_switch_was_set(
    house: House, chen: Visitor
) -> None:
    switches = [change(what="switch", file="switch.json", why="防汛")] * 20
    house.operations.answers["site.changes.latest"] = switches
    assert "/admin/hours/edit/undo" not in text(chen.get("/admin/hours"))
    house.operations.answers["site.changes.latest"] = [*switches, change(what="hours", file="hours.yaml", why="夏令时")]
    assert "夏令时" in text(chen.get("/admin/hours")).partition("/admin/hours/edit/undo")[0]
    assert chen.post("/admin/hours/edit/undo").status == 400
    assert chen.post("/admin/hours/edit/undo", {"why": "有误"}).status == 303
    assert acts(house, "site.hours.undo") == [("site.hours.undo", ("admin:chen", "有误"))]


# -- directory --------------------------------------------------------------------------------------------------------


def version(visitor: Visitor) -> str:
    return text(visitor.get("/admin/directory/edit")).partition('name="version" value="')[2].partition('"')[0]


def test_a_directory_is_shown_as_a_difference_and_applied_with_its_reason(house: House, chen: Visitor) -> None:
    form = {"yaml": UNITS.replace("6112", "6114").replace("\n", "\r\n"), "why": "换号码", "version": version(chen)}
    page = text(chen.post("/admin/directory/preview", form))
    assert '<span class="removed">-           tax_2: {name: 纳税服务二, number: 6112}</span>' in page
    assert '<span class="added">+           tax_2: {name: 纳税服务二, number: 6114}</span>' in page
    assert "更改单位（1）" in page
    assert acts(house, "site.directory.apply") == []
    assert chen.post("/admin/directory/apply", form).status == 303
    ((_, (applied, who, why)),) = acts(house, "site.directory.apply")
    assert applied == UNITS.replace("6112", "6114")
    assert (who, why) == ("admin:chen", "换号码")


def test_nobody_overwrites_what_another_administrator_changed_meanwhile(house: House, chen: Visitor) -> None:
    form = {"yaml": UNITS, "why": "换号码", "version": version(chen)}
    house.operations.answers["site.directory.text"] = UNITS + "# changed\n"
    assert "已有别的更改" in text(chen.post("/admin/directory/preview", form))
    assert chen.post("/admin/directory/apply", form).status == 409
    assert acts(house, "site.directory.apply") == []


def test_faults_of_a_directory_are_told_by_line_and_what_was_typed_is_kept(house: House, chen: Visitor) -> None:
    fault = BadLine(1, "units.tax.tiers", "Field required")
    house.operations.answers["site.directory.preview"] = DirectoryPreview(faults=(fault,))
    answer = chen.post("/admin/directory/preview", {"yaml": "units: {tax: </textarea>}", "why": "x", "version": "1"})
    assert answer.status == 422
    assert "第1行" in text(answer)
    assert "units: {tax: &lt;/textarea&gt;}" in text(answer)


def test_a_unit_that_still_owes_callbacks_cannot_be_taken_away(house: House, chen: Visitor) -> None:
    owed = DirectoryPreview(units_removed=("tax",), still_owed=("2603101001",))
    house.operations.answers["site.directory.preview"] = owed
    page = text(chen.post("/admin/directory/preview", {"yaml": UNITS, "why": "x", "version": version(chen)}))
    assert "区税务局" in page
    assert "2603101001" in page
    assert "disabled" in page.partition('id="apply"')[2].partition(">")[0]


# -- prompts ----------------------------------------------------------------------------------------------------------


def send_file(visitor: Visitor, path: str, content: bytes, **fields: str) -> Any:
    """Send a file as a browser does."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in (fields | {"csrf": visitor.csrf}).items()]  # fmt: skip
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    headers = {"origin": "http://127.0.0.1:8080", "content-type": "multipart/form-data; boundary=b"}
    return visitor.send("POST", path, b"".join([*parts, head, content, b"\r\n--b--\r\n"]), headers)


def test_prompts_are_listed_with_length_and_level_and_what_is_wrong_with_them(house: House, chen: Visitor) -> None:
    figure = {"seconds": 5.2, "level_dbfs": -20.0, "peak_dbfs": -3.0, "is_clipped": False}
    house.operations.answers["site.prompts.figures"] = {"greeting": figure}
    page = text(chen.get("/admin/prompts"))
    assert "5.2 / 4 秒" in page
    assert "过长" in page
    assert "您好 &amp; 欢迎" in page
    assert "greeting" not in text(chen.get("/admin/prompts?q=menu"))


def test_a_prompt_gets_another_text_or_a_recording_with_a_reason(house: House, chen: Visitor) -> None:
    path = "/admin/prompts/greeting"
    assert chen.post(f"{path}/text", {"text": "您好。", "why": " "}).status == 400
    assert chen.post(f"{path}/text", {"text": "您好。", "why": "缩短"}).status == 303
    assert send_file(chen, f"{path}/recording", b"RIFF1234", why="真人录音").status == 303
    assert send_file(chen, f"{path}/recording", b"", why="真人录音").status == 400
    assert chen.post(f"{path}/undo", {"why": "不好听"}).status == 303
    assert acts(house, "site.prompts.set_text", "site.prompts.set_recording", "site.prompts.undo") == [
        ("site.prompts.set_text", ("greeting", "您好。", "admin:chen", "缩短")),
        ("site.prompts.set_recording", ("greeting", b"RIFF1234", "admin:chen", "真人录音")),
        ("site.prompts.undo", ("greeting", "admin:chen", "不好听")),
    ]
    assert chen.post("/admin/prompts/none/text", {"text": "x", "why": "x"}).status == 404


def test_a_prompt_can_be_listened_to(house: House, chen: Visitor, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    house.operations.answers["site.prompts.wav"] = tmp_path / "a.wav"
    answer = chen.get("/admin/prompts/greeting/sound")
    assert answer.stream is not None
    assert answer.content_type == "audio/wav"


def test_a_notice_can_be_sent_as_a_file_in_utf_8_or_as_a_chinese_spreadsheet_saves_it(
    house: House, chen: Visitor
) -> None:
    assert send_file(chen, "/admin/calendar/preview", ("\ufeff" + NOTICE).encode(), why="x").status == 200
    assert acts(house, "site.calendar.preview") == [("site.calendar.preview", (NOTICE,))]
    assert send_file(chen, "/admin/calendar/preview", NOTICE.encode("gb18030"), why="x").status == 200
    assert acts(house, "site.calendar.preview")[1:] == [("site.calendar.preview", (NOTICE,))]
    assert send_file(chen, "/admin/calendar/preview", b"\xff\xff\x81", why="x").status == 400


# -- overview, rehearsal, audit ---------------------------------------------------------------------------------------


def test_the_overview_tells_what_was_changed_and_that_a_notice_is_missing_in_autumn(
    house: House, chen: Visitor
) -> None:
    house.operations.answers["site.changes.latest"] = [change(why="<i>x</i>")]
    page = text(chen.get("/admin"))
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "尚未载入" not in page
    assert "中继" not in page
    house.operations.status_now["trunks"] = {"city": {"state": "unreachable"}, "old": {"state": "registered"}}
    assert text(chen.get("/admin")).count("中继") == 1
    house.operations.clock.set(MORNING.replace(month=11))
    assert "2027年的放假通知尚未载入" in text(chen.get("/admin"))


def test_a_rehearsal_that_is_refused_keeps_nobody_from_the_change(house: House, chen: Visitor) -> None:
    refusal = OperationRefused("另一场演练正在进行，请稍候。", "rehearsal.runs_already")
    house.operations.answers["site.rehearsal.play"] = refusal
    page = text(chen.post("/admin/calendar/preview", {"csv": NOTICE, "why": "x"}))
    assert "另一场演练正在进行" in page
    assert 'id="apply"' in page


def test_the_result_of_a_rehearsal_is_there_for_who_began_it(house: House, chen: Visitor) -> None:
    house.operations.answers["site.rehearsal.play"] = {"orders": 60, "verdicts": {"on_time": 60}, "breaches_in_all": 0}
    chen.post("/admin/calendar/preview", {"csv": NOTICE, "why": "x"})
    assert "模拟60件工单" in text(chen.get("/admin/rehearsal"))
    assert "模拟60件工单" not in text(house.visitor(Role.ADMIN, name="other").get("/admin/rehearsal"))


def test_the_audit_log_is_checked_when_asked_and_says_where_it_is_broken(house: House, chen: Visitor) -> None:
    assert "核对结果" not in text(chen.get("/audit"))
    assert "日志完整" in text(chen.get("/audit?verify=1"))
    house.audit.found = replace(house.audit.found, broken=Broken(Path("000001.journal"), 7, "the chain does not go on"))
    assert "line 7" in text(chen.get("/audit?verify=1"))
    assert finished(house.audit.last()) == house.audit.acts[::-1]
