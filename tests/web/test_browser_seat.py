"""A seat at its desk in a real browser, with real phones: a caller is put through by the page, and three talk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.select import Select

from demo.phone import Phone
from tests.sip import processes
from tests.sip.house import SEAT_TONE, SPECIALIST_TONE, TUESDAY_MORNING, House, until
from tests.sip.ports import free_port
from tests.web.browsers import PASSWORD, chromium, complaints, fill, find, press, wait_for_path

pytestmark = [pytest.mark.browser, pytest.mark.sip]
SUPERVISOR_TONE = 1490


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Fail when a process or port of these tests is still there at their end."""
    with processes.marked_run(), processes.leaving_nothing():
        yield


class Floor:
    """The house on a morning: seat 8001 and tax specialist 6111 are there, the others are busy; opens browsers."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self._folder, self._running = folder, running
        self.admin = self.browser("admin")  # first: without Chromium nothing else is started
        (folder / "house").mkdir()
        console = {"enabled": True, "listen": f"127.0.0.1:{free_port()}"}
        self.house = running.enter_context(House(folder / "house", console=console))
        self.house.close_numbers("8002", "8003", "6112", "6113")
        self.seat = self.house.desk_phone("8001", SEAT_TONE)
        self.specialist = self.house.desk_phone("6111", SPECIALIST_TONE)
        self.url = self.house.service.console["url"]
        self.admin.get(self.house.service.console["first_administrator"])
        fill(self.admin, name="chen", password=PASSWORD, password_again=PASSWORD)
        press(self.admin)
        until("the administrator's first page", lambda: "/welcome" not in self.admin.current_url)

    def browser(self, name: str) -> WebDriver:
        (self._folder / name).mkdir()
        return self._running.enter_context(chromium(self._folder / name))

    def logged_in(self, name: str, role: str, number: str, first_page: str) -> WebDriver:
        """Let the administrator make an account; return a browser in which its owner has set a password."""
        self.admin.get(f"{self.url}/new-account")
        fill(self.admin, name=name, number=number)
        Select(find(self.admin, "#role").element).select_by_value(role)
        press(self.admin)
        link = until("the invitation", lambda: _invitation(self.admin))
        browser = self.browser(name)
        browser.get(link)
        fill(browser, password=PASSWORD, password_again=PASSWORD)
        press(browser)
        wait_for_path(browser, first_page)
        return browser

    def caller_with_seat(self) -> Phone:
        """Let a caller choose a matter and reach the seat, who accepts."""
        self.seat.auto_answer(2.0, then_press="1", press_after_s=0.3)
        caller = self.house.caller()
        self.house.ring_up(caller, "1")
        return caller

    def hear_each_other(self, *phones: Phone) -> None:
        matrix = self.house.exchange.audio_matrix(*phones, seconds=1.0)
        assert matrix.all_hear_each_other(), matrix


def _invitation(browser: WebDriver) -> str:
    return next((one.text for one in browser.find_elements(By.ID, "invitation")), "")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory, _nothing_is_left_behind: None) -> Iterator[Floor]:
    with ExitStack() as running:
        yield Floor(tmp_path_factory.mktemp("floor"), running)


def shows(browser: WebDriver, css: str, words: str) -> None:
    """Wait until the page itself, without being loaded anew, shows words in an element."""

    def there() -> bool:
        shown = browser.execute_script("return document.querySelector(arguments[0])?.innerText || ''", css)
        return words in shown

    until(f"{words!r} in {css} of {browser.current_url}", there)


def parties(browser: WebDriver) -> list[str]:
    """Return the state of each party that the desk shows."""
    script = "return [...document.querySelectorAll('.parties li')].map(one => one.dataset.state)"
    states: list[str] = browser.execute_script(script)
    return states


def test_a_seat_puts_a_real_caller_through_to_a_real_specialist_from_the_page_and_leaves(floor: Floor) -> None:
    desk = floor.logged_in("li", "seat", "8001", "/seat")
    shows(desk, "#desk-call", "现在没有来电")
    desk.execute_script("window.notLoadedAnew = true")

    caller = floor.caller_with_seat()
    shows(desk, "#desk-call", "来电振铃")  # while the phone still rings
    shows(desk, "#desk-call", f"{caller.number[:3]}****{caller.number[-4:]}")
    shows(desk, "#desk-call", "企业登记")
    floor.seat.wait_answered(20)
    until("caller and seat talking on the page", lambda: parties(desk) == ["talking", "talking"])
    assert not find(desk, "#act-leave").is_enabled()
    shows(desk, "#why-leave", "您不能退出")

    find(desk, "#text").send_keys("企业问税务")  # typing is not lost when the page changes, and no key of it acts
    floor.specialist.auto_answer(0.5, then_press="1", press_after_s=0.5)
    find(desk, "body").send_keys(Keys.F2)
    desk.switch_to.active_element.send_keys("swbl")
    shows(desk, "#found [aria-selected=true]", "税务办理")
    desk.switch_to.active_element.send_keys(Keys.ENTER)
    shows(desk, "#said", "正在呼叫专业人员")
    floor.specialist.wait_answered(20)
    until("three talking on the page", lambda: parties(desk) == ["talking"] * 3)
    time.sleep(2.0)  # all are told that they are joined
    floor.hear_each_other(caller, floor.seat, floor.specialist)

    ActionChains(desk).click_and_hold(find(desk, "#act-hold").element).perform()
    desk.execute_script("hotline.post('/seat/state', {state: 'wrap_up'})")
    shows(desk, "#desk-state", "通话结束后")  # the desk is brought up to date under the pointer ...
    ActionChains(desk).release().perform()
    shows(desk, "#desk-call", "来电人正在听音乐")  # ... and the click is not lost
    find(desk, "body").send_keys(Keys.F4)
    until("the caller taken back on the page", lambda: parties(desk) == ["talking"] * 3)
    find(desk, "#state-ready").click()
    until("no other state afterwards", lambda: "通话结束后" not in find(desk, "#desk-state").text)

    find(desk, "#act-leave").click()
    assert floor.seat.wait_ended(10).by_remote
    shows(desk, "#desk-call", "现在没有来电")
    floor.hear_each_other(caller, floor.specialist)
    assert find(desk, "#text").get_attribute("value") == "企业问税务"
    assert desk.execute_script("return window.notLoadedAnew")
    find(desk, "#text").send_keys(Keys.CONTROL, Keys.ENTER)
    shows(desk, "#said", "记录已保存")

    for phone in (caller, floor.specialist):
        phone.hangup()
    record = floor.house.record(caller)
    assert record["transfer"] == "accepted"
    assert [leg["number"] for leg in record["legs"] if leg["accepted_at"] and leg["role"] == "specialist"] == ["6111"]
    assert complaints(desk) == []
    _is_audited(floor, record["call_id"], "seat:li", ["seat.transfer", "seat.hold", "seat.hold", "seat.leave"])


def _is_audited(floor: Floor, call_id: str, who: str, acts: list[str]) -> None:
    floor.admin.get(f"{floor.url}/audit?who={who}")
    rows = [row.text for row in reversed(floor.admin.find_elements(By.CSS_SELECTOR, "main tbody tr"))]
    done = [act for row in rows if call_id in row for act in ("transfer", "hold", "leave") if f"seat.{act}" in row]
    assert [f"seat.{act}" for act in done] == acts


def test_a_supervisor_sees_the_call_move_on_the_wall_listens_barges_in_and_stops(floor: Floor) -> None:
    phone = floor.house.desk_phone("7001", SUPERVISOR_TONE)
    phone.auto_answer(0.5)
    wall = floor.logged_in("zhou", "supervisor", "7001", "/compliance")
    wall.get(f"{floor.url}/wall")
    shows(wall, "#live", "实时")
    shows(wall, "#no-calls", "现在没有来电")
    wall.execute_script("window.notLoadedAnew = true")

    caller = floor.caller_with_seat()
    shows(wall, "#calls", "坐席电话振铃")
    assert caller.number not in wall.page_source
    shows(wall, "#calls", "与坐席通话")
    shows(wall, "[data-seat='8001']", "正在通话，暂不分配来电")
    shows(wall, "#n-calls", "1")

    find(wall, "#calls .act button").click()
    shows(wall, "#said", "正在呼叫您的电话")
    phone.wait_answered(20)
    time.sleep(1.0)
    listening = floor.house.exchange.audio_matrix(caller, floor.seat, phone, seconds=1.0)
    assert listening.hears(phone.name, caller.name), listening
    assert listening.hears(phone.name, floor.seat.name), listening
    assert not any(listening.hears(other.name, phone.name, -50) for other in (caller, floor.seat)), listening

    find(wall, "#calls .modes form:nth-of-type(3) button").click()
    shows(wall, "#calls .modes [aria-pressed=true]", "强插")
    time.sleep(3.0)  # all are told that somebody has joined
    floor.hear_each_other(caller, floor.seat, phone)

    find(wall, "#calls .modes .danger").click()
    assert phone.wait_ended(10).by_remote
    floor.hear_each_other(caller, floor.seat)
    caller.hangup()
    floor.seat.hangup()
    shows(wall, "#no-calls", "现在没有来电")
    assert wall.execute_script("return window.notLoadedAnew")
    assert complaints(wall) == []


def test_a_wall_that_has_lost_its_service_says_since_when_and_comes_back_by_itself(floor: Floor) -> None:
    wall = floor.logged_in("wu", "supervisor", "", "/compliance")
    wall.get(f"{floor.url}/wall")
    shows(wall, "#live", "实时")
    floor.house.service.kill()
    shows(wall, "#lost", "与服务器断开")
    assert not wall.execute_script("return document.getElementById('live').checkVisibility()")
    floor.house.service.start_again(TUESDAY_MORNING)
    until("the wall to be live again", lambda: _is_live(wall))
    caller = floor.caller_with_seat()
    shows(wall, "#calls", "与坐席通话")
    caller.hangup()
    floor.seat.hangup()


def _is_live(wall: WebDriver) -> bool:
    script = "return document.readyState === 'complete' && document.getElementById('live')?.checkVisibility()"
    lost = "return document.getElementById('lost')?.checkVisibility()"
    return bool(wall.execute_script(script)) and not wall.execute_script(lost)
