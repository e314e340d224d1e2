"""A supervisor in a real browser: from a breach to its recording, and from an order at risk to a ringing unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsers import chromium, complaints, console, enter, find, invited, press, wait_for_path
from tests.web.supervised_serving import SECONDS

pytestmark = pytest.mark.browser
_SERVING = Path(__file__).with_name("supervised_serving.py")
_WAIT_S = 20.0
_PLAY = """
const [audio, done] = arguments;
audio.muted = true;
audio.onerror = () => done("error " + audio.error.code);
audio.onended = () => done(String(Math.round(audio.duration)));
audio.playbackRate = 8;
audio.play().catch((wrong) => done(String(wrong)));
"""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    """A browser in which a supervisor has logged in."""
    (tmp_path / "console").mkdir()
    with chromium(tmp_path) as started, console(tmp_path / "console", _SERVING) as served:
        enter(started, served["first_administrator"])
        invited(started, served["url"], "wang", "supervisor")
        wait_for_path(started, "/compliance")
        yield started


def test_a_supervisor_follows_a_breach_to_its_recording_and_hears_it(browser: WebDriver) -> None:
    browser.get(browser.current_url.partition("?")[0] + "?period=month")
    press(browser, ".figures a[href*='verdict=late']")
    wait_for_path(browser, "/orders")
    press(browser, ".orders tbody a")
    assert "逾期1小时5分钟后才接通" in find(browser, ".note.bad").text
    browser.set_script_timeout(_WAIT_S)
    assert browser.execute_async_script(_PLAY, find(browser, "audio").element) == str(SECONDS)
    drawn = WebDriverWait(browser, _WAIT_S)
    width = "return document.querySelector('.waveform').naturalWidth"
    drawn.until(lambda _: browser.execute_script(width))
    assert complaints(browser) == []


def test_one_click_and_a_yes_ring_the_unit_and_the_list_renews_itself(browser: WebDriver) -> None:
    assert "单位未签收，也从未拨打" in find(browser, ".risk").text
    press(browser, ".risk .button")
    assert "立即拨打" in find(browser, "#act-dialog form").text
    press(browser, "#act-dialog button[type=submit]")
    waiting = WebDriverWait(browser, _WAIT_S)
    waiting.until(lambda _: "已开始拨打" in find(browser, "#said").text)
    waiting.until(lambda _: "正在第1次拨打" in browser.find_element(By.ID, "now").text)
    assert browser.find_element(By.CSS_SELECTOR, ".risk .button").text == "查看进展"
    assert complaints(browser) == []


def test_the_countdown_ticks(browser: WebDriver) -> None:
    shown = find(browser, "[data-countdown-s]").text
    WebDriverWait(browser, _WAIT_S).until(lambda _: find(browser, "[data-countdown-s]").text < shown)
    assert shown.startswith("00:5")
