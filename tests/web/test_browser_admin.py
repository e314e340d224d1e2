"""An administrator in a real browser, on a real service: a notice of holidays re-dates what is owed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from routing.calendar import Calendar, DayType
from routing.clock import SHANGHAI
from tests.sip.house import House, until
from tests.web.browsers import chromium, complaints, enter, fill, find, press, wait_for_path
from tests.web.night_orders import leave_request, shows, state

pytestmark = [pytest.mark.browser, pytest.mark.sip]
NEW_YEARS_EVE = datetime(2026, 12, 31, 21, 0, tzinfo=SHANGHAI)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path) as started:
        yield started


@pytest.fixture
def house(tmp_path: Path, browser: WebDriver) -> Iterator[House]:
    (tmp_path / "house").mkdir()
    with House(tmp_path / "house", NEW_YEARS_EVE, console={"enabled": True, "listen": "127.0.0.1:0"}) as running:
        yield running


def notice(folder: Path, *more: str) -> Path:
    """Return a notice for 2027: the days off by law, and `more` days off."""
    first = date(2027, 1, 1)
    days = [Calendar().day(first + timedelta(days=n)) for n in range(365)]
    rows = [f"{day.on},放假,{day.name}" for day in days if day.day_type is DayType.HOLIDAY]
    path = folder / "notice.csv"
    path.write_text("\n".join(["date,type,name", *rows, *(f"{on},放假,元旦" for on in more)]) + "\n", encoding="utf-8")
    return path


def upload(browser: WebDriver, url: str, path: Path) -> None:
    """Send a notice from the page of the calendar."""
    browser.get(f"{url}/admin/calendar?year=2027")
    find(browser, "#file").send_keys(str(path))
    fill(browser, why="国办发明电")
    press(browser, "#load button")
    wait_for_path(browser, "/admin/calendar/preview")


def test_a_notice_for_2027_shows_which_open_orders_it_re_dates_then_does_and_can_be_taken_back(
    house: House, browser: WebDriver, tmp_path: Path
) -> None:
    _, order_id = leave_request(house, "2")
    assert state(house, order_id)["due_at"].startswith("2027-01-04T10:00"), "the first workday, as far as is known"
    url = house.service.console["url"]
    enter(browser, house.service.console["first_administrator"])
    browser.get(url + "/admin")
    assert "2027年的放假通知尚未载入" in find(browser, "main").text

    bad = notice(tmp_path)
    bad.write_text(bad.read_text(encoding="utf-8") + "2027-01-05,上班,元旦\n", encoding="utf-8")
    upload(browser, url, bad)
    assert f"第{len(bad.read_text(encoding='utf-8').splitlines())}行" in find(browser, ".note.bad").text
    assert browser.find_elements("id", "apply") == []

    upload(browser, url, notice(tmp_path, "2027-01-04"))
    row = find(browser, f"#moved tr[data-order='{order_id}']").text
    assert "区税务局" in row
    assert row.index("2027年1月4日 10:00") < row.index("2027年1月5日 10:00")
    assert state(house, order_id)["due_at"].startswith("2027-01-04T10:00"), "nothing counts before it is applied"
    until("the rehearsal's end", lambda: browser.find_elements("css selector", "#trial[data-state=still]"), 120)
    assert "模拟" in find(browser, "#trial").text
    assert "没有逾期" in find(browser, "#trial").text

    press(browser, "#apply")
    wait_for_path(browser, "/admin/calendar")
    shows(browser, "1件工单改期")
    until("the new deadline", lambda: state(house, order_id)["due_at"].startswith("2027-01-05T10:00"))
    assert state(house, order_id)["original_due_at"].startswith("2027-01-04T10:00")
    assert "已公布至 2027-12-31" in find(browser, "main").text

    find(browser, "details.card summary").click()
    find(browser, "#undo-why").send_keys("通知有更正")
    press(browser, "details.card button")
    shows(browser, "已撤销上次更改")
    until("the deadline as it was", lambda: state(house, order_id)["due_at"].startswith("2027-01-04T10:00"))
    (undone, applied) = house.service.ask("site_changes")
    assert (applied["what"], applied["who"], applied["why"]) == ("calendar", "admin:chen", "国办发明电")
    assert (undone["is_undo"], undone["why"]) == (True, "通知有更正")
    assert [one for one in complaints(browser) if "422" not in one] == []


def test_directory_and_prompts_are_changed_on_a_running_service_and_every_change_is_in_the_audit_log(
    house: House, browser: WebDriver
) -> None:
    url = house.service.console["url"]
    enter(browser, house.service.console["first_administrator"])
    browser.get(url + "/admin/directory/edit")
    browser.execute_script("const one = document.getElementById('yaml'); one.value += 'nonsense: 1\\n';")
    fill(browser, why="新号码")
    press(browser)
    wait_for_path(browser, "/admin/directory/preview")
    assert "nonsense" in find(browser, ".note.bad").text
    script = "const one = document.getElementById('yaml'); one.value = one.value.replace('nonsense: 1', '')"
    browser.execute_script(script + ".replace('number: 6112', 'number: 6114');")
    press(browser)
    until("the difference", lambda: "6114" in find(browser, ".difference").text)
    assert "区税务局" in find(browser, ".summary").text
    press(browser, "#apply")
    wait_for_path(browser, "/admin/directory")
    assert "6114" in find(browser, "main").text

    browser.get(url + "/admin/prompts/greeting")
    fill(browser, text="您好，企业专席。")
    find(browser, "#text-why").send_keys("缩短")
    press(browser, "form[action$='/text'] button")
    shows(browser, "提示音文字已修改")
    assert "您好，企业专席。" in find(browser, "blockquote").text

    def figures() -> bool:
        browser.get(url + "/admin/prompts?q=greeting")
        return "dBFS" in find(browser, "table").text

    until("length and level", figures)
    browser.get(url + "/audit?verify=1")
    told = find(browser, "main").text
    assert "日志完整" in told
    assert told.index("admin_prompts.set_text") < told.index("admin_directory.apply_directory")
    assert [change["what"] for change in house.service.ask("site_changes")] == ["prompt", "directory"]
