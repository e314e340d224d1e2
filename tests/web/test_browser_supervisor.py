"""A supervisor with a real service: from the breach on the first page to the recording of the caller's message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.select import Select

from console.people.roles import Role
from routing.clock import SHANGHAI
from tests.sip import processes
from tests.sip.house import TUESDAY_EVENING, House, until
from tests.web.browsers import PASSWORD, chromium, complaints, fill, find, press
from tests.web.page_tour import MORE, pages

pytestmark = [pytest.mark.browser, pytest.mark.sip]
AFTER_TEN = datetime(2026, 3, 11, 10, 4, tzinfo=SHANGHAI)
_TAX = ("6111", "6112", "6113", "6118", "6119")
_SPEAKS_S = 4.0


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Fail when a process or port of these tests is still there at their end."""
    with processes.marked_run(), processes.leaving_nothing():
        yield


class Office:
    """A service in the evening with its console, a browser, and an account of each role (by its role's name)."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        (folder / "chromium").mkdir()
        (folder / "house").mkdir()
        self.browser: WebDriver = running.enter_context(chromium(folder / "chromium"))
        console = {"enabled": True, "listen": "127.0.0.1:0"}
        self.house = running.enter_context(House(folder / "house", TUESDAY_EVENING, console=console))
        self.url = self.house.service.console["url"]
        self._links = {"admin": self.house.service.console["first_administrator"]}
        self._enter("admin")
        for role in (Role.SUPERVISOR, Role.SEAT, Role.UNIT):
            self._links[role.value] = self._invite(role)
        for role in (Role.SUPERVISOR, Role.SEAT, Role.UNIT):
            self._enter(role.value)

    def _enter(self, name: str) -> None:
        self.browser.delete_all_cookies()
        self.browser.get(self._links[name])
        fields = {"name": name} if name == "admin" else {}
        fill(self.browser, **fields, password=PASSWORD, password_again=PASSWORD)
        press(self.browser)
        until(f"the first page of {name}", lambda: "/welcome" not in self.browser.current_url)

    def _invite(self, role: Role) -> str:
        self.browser.get(f"{self.url}/new-account")
        Select(find(self.browser, "#role").element).select_by_value(role.value)
        fill(self.browser, name=role.value)
        if role is Role.UNIT:
            Select(find(self.browser, "#unit_id").element).select_by_value("market")
        press(self.browser)
        return find(self.browser, "#invitation").text

    def log_in(self, role: Role) -> None:
        self.browser.get(f"{self.url}/login")
        self.browser.delete_all_cookies()
        self.browser.get(f"{self.url}/login")
        fill(self.browser, name=role.value, password=PASSWORD)
        press(self.browser)
        find(self.browser, "details.user")

    def leave_message(self) -> str:
        """Let an enterprise ring the tax bureau in the evening and leave a message; return its order number."""
        caller = self.house.caller()
        self.house.ring_up(caller, "2")
        self.house.wait_step(caller, "number")
        caller.press("1")
        self.house.wait_recording(caller)
        caller.talk()
        time.sleep(_SPEAKS_S)
        caller.hush()
        caller.press("#")
        time.sleep(0.7)
        caller.press("1")
        caller.wait_ended(60)
        return str(self.house.order(caller)["order_id"])

    def let_time_pass(self, order_id: str) -> None:
        """Nobody at the unit answers until 10:04 of the next workday."""
        self.house.close_numbers(*_TAX)
        self.house.service.set_clock(AFTER_TEN)
        until("the frozen breach", lambda: self.house.service.ask("order", order_id=order_id)["overdue_at"], 60.0)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, _nothing_is_left_behind: None) -> Iterator[Office]:
    with ExitStack() as running:
        yield Office(tmp_path_factory.mktemp("office"), running)


def test_a_supervisor_follows_a_breach_from_the_first_page_to_its_recording_and_plays_it(office: Office) -> None:
    order_id = office.leave_message()
    office.let_time_pass(order_id)
    office.log_in(Role.SUPERVISOR)
    browser = office.browser
    browser.get(f"{office.url}/")
    assert browser.current_url.startswith(f"{office.url}/compliance")
    find(browser, f"main a[href^='/orders/{order_id}']").click()
    assert order_id in find(browser, "h1").text
    assert "从未" in find(browser, ".note.bad").text, "the cause of the breach is told"

    played = find(browser, "main audio").element
    browser.execute_script("arguments[0].scrollIntoView(); arguments[0].muted = true; arguments[0].play()", played)
    until("the message playing", lambda: browser.execute_script("return arguments[0].currentTime", played) > 1.0)
    length_s = browser.execute_script("return arguments[0].duration", played)
    assert _SPEAKS_S - 1.5 < length_s < _SPEAKS_S + 10
    browser.execute_script("arguments[0].currentTime = arguments[1]", played, length_s - 0.6)
    until("the end of the message", lambda: browser.execute_script("return arguments[0].ended", played))
    drawn = browser.find_element(By.CSS_SELECTOR, "main img[src$='/waveform']")
    assert browser.execute_script("return arguments[0].naturalWidth", drawn) > 0
    assert complaints(browser) == []


def test_each_role_is_refused_what_is_not_its_own(office: Office) -> None:
    browser, url = office.browser, office.url
    of_routes = [page for page in pages() if page not in MORE and "{" not in page.address]
    of_role = {role: {page.address for page in of_routes if page.role is role} for role in Role}
    for role in Role:
        office.log_in(role)
        links = browser.find_elements(By.CSS_SELECTOR, "#nav a")
        shown = {str(link.get_attribute("href")).removeprefix(url) for link in links}
        assert shown <= {address.partition("?")[0] for address in of_role[role]}
        for address in sorted(set().union(*of_role.values()) - of_role[role]):
            browser.get(url + address)
            assert find(browser, ".error-code").text == "403", f"{role.value} at {address}"


def test_a_unit_is_not_told_that_an_order_of_another_unit_exists(office: Office) -> None:
    orders = office.house.service.ask("orders")
    order_id = orders[0]["order_id"] if orders else office.leave_message()
    office.log_in(Role.UNIT)
    for number in (order_id, "26030910999"):
        office.browser.get(f"{office.url}/unit/orders/{number}")
        assert find(office.browser, ".error-code").text == "404"
