"""The pages of unit and administrator in a real browser: on two screens, for everybody, without a complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_selenium_python import Axe
from selenium.webdriver.remote.webdriver import WebDriver

from tests.sip.house import until
from tests.web.browsers import (
    SIZES,
    chromium,
    complaints,
    console,
    enter,
    fill,
    find,
    invited,
    is_too_wide,
    press,
    resize,
    wait_for_path,
)

pytestmark = pytest.mark.browser
UNIT = ("/unit", "/unit/people", *(f"/unit/orders/260310100{n}" for n in (1, 3, 4, 8)))
ADMIN = (
    "/admin", "/admin/calendar?year=2026", "/admin/calendar?year=2027", "/admin/hours", "/admin/hours/edit",
    "/admin/directory", "/admin/directory/edit", "/admin/prompts", "/admin/prompts/greeting", "/admin/rehearsal",
    "/audit?verify=1",
)  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path) as started:
        yield started


@pytest.fixture
def served(tmp_path: Path, browser: WebDriver) -> Iterator[dict[str, Any]]:
    with console(tmp_path / "var", Path(__file__).with_name("unit_sample.py")) as told:
        yield told


def is_fit_to_see(browser: WebDriver) -> None:
    """Fail if the page is too wide for a screen of ours, or axe finds something serious."""
    for size in SIZES:
        resize(browser, size)
        assert find(browser, "h1").text
        assert not is_too_wide(browser), f"{browser.current_url} at {size}"
    axe = Axe(browser)
    axe.inject()
    found = [one for one in axe.run()["violations"] if one["impact"] in ("serious", "critical")]
    assert not found, [(browser.current_url, one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_the_pages_of_a_unit_fit_their_screens_and_serve_everybody(served: dict[str, Any], browser: WebDriver) -> None:
    enter(browser, served["first_administrator"])
    invited(browser, served["url"], "lisi", "unit", number="6111", unit_id="tax")
    for path in UNIT:
        browser.get(served["url"] + path)
        is_fit_to_see(browser)
    assert complaints(browser) == []


def test_the_pages_of_an_administrator_fit_their_screens_and_serve_everybody(
    served: dict[str, Any], browser: WebDriver
) -> None:
    enter(browser, served["first_administrator"])
    for path in ADMIN:
        browser.get(served["url"] + path)
        is_fit_to_see(browser)
    browser.get(served["url"] + "/admin/calendar")
    fill(browser, csv="date,type,name", why="国办发明电")
    press(browser, "#load button")
    wait_for_path(browser, "/admin/calendar/preview")
    is_fit_to_see(browser)
    browser.get(served["url"] + "/admin/directory/edit")
    fill(browser, why="换号码")
    press(browser)
    wait_for_path(browser, "/admin/directory/preview")
    is_fit_to_see(browser)
    assert complaints(browser) == []


def test_an_inbox_that_is_open_counts_down_by_itself(served: dict[str, Any], browser: WebDriver) -> None:
    enter(browser, served["first_administrator"])
    invited(browser, served["url"], "lisi", "unit", number="6111", unit_id="tax")
    wait_for_path(browser, "/unit")
    shown = find(browser, ".is-soon .left").text
    until("the next second", lambda: find(browser, ".is-soon .left").text != shown)
