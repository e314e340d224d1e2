"""A unit's clerk in a real browser, with real phones: a click rings the clerk's phone, then the enterprise's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.sip.house import SPECIALIST_TONE, TUESDAY_EVENING, House, until
from tests.web.browsers import chromium, complaints, enter, find, invited, press, wait_for_path
from tests.web.night_orders import leave_request, shows, state

pytestmark = [pytest.mark.browser, pytest.mark.sip]
HALF_PAST_EIGHT = TUESDAY_EVENING + timedelta(hours=11, minutes=30)  # before the timetable dials


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path) as started:  # first: without Chromium nothing else is started
        yield started


@pytest.fixture
def house(tmp_path: Path, browser: WebDriver) -> Iterator[House]:
    console = {"enabled": True, "listen": "127.0.0.1:0"}
    (tmp_path / "house").mkdir()
    with ExitStack() as running:
        yield running.enter_context(
            House(tmp_path / "house", TUESDAY_EVENING, console=console, phone={"survey_enabled": False})
        )


def test_a_click_connects_the_clerks_real_phone_with_the_enterprises_and_the_order_is_reached(
    house: House, browser: WebDriver
) -> None:
    enterprise, order_id = leave_request(house, "2")
    clerks_phone = house.desk_phone("6113", SPECIALIST_TONE)
    house.service.set_clock(HALF_PAST_EIGHT)
    url = house.service.console["url"]
    enter(browser, house.service.console["first_administrator"])
    invited(browser, url, "lisi", "unit", number="6113", unit_id="tax")
    wait_for_path(browser, "/unit")
    press(browser, f"form[action='/unit/orders/{order_id}/acknowledge'] button")
    shows(browser, "已签收")
    assert state(house, order_id)["acknowledged_by"] == "unit:tax:lisi"

    press(browser, f"form[action='/unit/orders/{order_id}/ring-back'] button")
    wait_for_path(browser, f"/unit/orders/{order_id}")
    shows(browser, "您的电话正在振铃")
    clerks_phone.answer()
    shows(browser, "请按1确认")
    assert house.switchboard.count("INVITE", enterprise.number) == 0
    clerks_phone.press("1")
    shows(browser, "正在呼叫企业")
    until("the enterprise's phone rings", lambda: house.switchboard.count("INVITE", enterprise.number) == 1)
    enterprise.answer()
    shows(browser, "双方正在通话")
    time.sleep(2.0)  # both are told that they are joined
    for phone in (enterprise, clerks_phone):
        phone.talk()
    matrix = house.exchange.audio_matrix(enterprise, clerks_phone, seconds=1.0)
    assert matrix.all_hear_each_other(), matrix
    time.sleep(10.0)  # the talk itself: shorter is no evidence
    clerks_phone.hangup()
    enterprise.wait_ended(40)
    shows(browser, "已接通，双方通话始于", 30)
    reached = state(house, order_id)
    (attempt,) = reached["attempts"]
    assert reached["state"] == "reached"
    assert (attempt["by"], attempt["unit_number"], attempt["outcome"]) == ("unit", "6113", "reached")
    assert attempt["evidence"]["two_way_s"] >= 10
    assert complaints(browser) == []


def test_a_clerk_of_another_unit_finds_neither_the_order_nor_its_message(house: House, browser: WebDriver) -> None:
    _, order_id = leave_request(house, "2")
    url = house.service.console["url"]
    enter(browser, house.service.console["first_administrator"])
    invited(browser, url, "wangwu", "unit", number="6101", unit_id="market")
    wait_for_path(browser, "/unit")
    assert order_id not in browser.page_source
    browser.get(f"{url}/unit/orders/{order_id}")
    assert "404" in find(browser, "main").text
    assert order_id not in find(browser, "main").text
    for path in ("/compliance", f"/orders/{order_id}", "/seat", "/admin", "/audit"):
        browser.get(url + path)
        assert "403" in find(browser, "main").text, path
