"""A person with a real browser: the one-time token, a password, log-in, the home, log-out; on two screens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.web.browsers import PASSWORD, SIZES, chromium, complaints, console, fill, find, is_too_wide, press, resize
from tests.web.browsers import enter as become_administrator
from tests.web.browsers import wait_for_path as wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with console(tmp_path / "var") as told:
        yield told


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path) as started:
        yield started


def test_a_newcomer_opens_the_printed_address_sets_a_password_logs_out_and_in_again(
    served: dict[str, Any], browser: WebDriver
) -> None:
    browser.get(served["url"])
    wait_for(browser, "/login")
    become_administrator(browser, served["first_administrator"])
    browser.get(served["url"] + "/home")
    assert "chen" in find(browser, "h1").text
    find(browser, "details.user summary").click()
    press(browser, ".user-menu button")
    wait_for(browser, "/login")
    browser.get(served["url"] + "/home")
    wait_for(browser, "/login")
    fill(browser, name="chen", password=PASSWORD)
    press(browser)
    wait_for(browser, "/home")
    assert browser.get_cookies()
    assert not browser.execute_script("return document.cookie"), "no script can read the session's cookie"
    assert complaints(browser) == []


def test_a_stranger_with_a_used_token_or_a_wrong_password_stays_outside(
    served: dict[str, Any], browser: WebDriver
) -> None:
    become_administrator(browser, served["first_administrator"])
    browser.delete_all_cookies()
    browser.get(served["first_administrator"])
    assert find(browser, ".note.bad").text
    browser.get(served["url"] + "/login")
    fill(browser, name="chen", password="not the password")
    press(browser)
    assert find(browser, ".note.bad").text.endswith("账号或密码不正确。")


def test_the_language_is_switched_by_a_link_and_stays(served: dict[str, Any], browser: WebDriver) -> None:
    browser.get(served["url"] + "/login")
    assert find(browser, "h1").text == "登录"
    find(browser, "a.language").click()
    browser.get(served["url"] + "/welcome")
    assert find(browser, "h1").text == "One-time token"


def test_no_page_of_the_foundation_is_wider_than_its_screen(served: dict[str, Any], browser: WebDriver) -> None:
    become_administrator(browser, served["first_administrator"])
    for path in ("/home", "/me", "/accounts", "/new-account", "/accounts/chen", "/audit", "/me/second-factor", "/no"):
        for size in SIZES:
            browser.get(served["url"] + path)
            resize(browser, size)
            assert find(browser, "h1").text
            assert not is_too_wide(browser), f"{path} at {size}"
    resize(browser, "phone")
    find(browser, ".menu-button").click()
    assert find(browser, "#nav a").text
    assert [one for one in complaints(browser) if "/no " not in one] == []
