"""Headless Chromium for tests, which ends with the test and with the process of the tests."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.schedule import STANDS_BACK
from tests.sip.processes import dying_with_us

SIZES = {"wide": (1366, 768), "phone": (390, 844)}
_WAIT_S = 20.0
T = TypeVar("T")
_SERVING = Path(__file__).with_name("serving.py")


@contextmanager
def chromium(folder: Path) -> Iterator[WebDriver]:
    """Yield a browser with a profile of its own in `folder`; skips the test, by name, where there is none."""
    binary, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("NOT TESTED in a browser: chromium or chromedriver is not on PATH (apt install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=zh-CN", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(_mortal(driver, folder)))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def _mortal(driver: str, folder: Path) -> Path:
    """Return a chromedriver that is killed when this process dies; Chromium ends when its driver's pipe is gone.

    It stands back behind the calls of this test and of others: a page may be late, what is said in a call may not.
    """
    start = folder / "chromedriver"
    start.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), {STANDS_BACK}))\n"
        # libpulse, where a system has it, else makes a folder of its own beside the tests' that nobody takes away
        f"os.environ['PULSE_RUNTIME_PATH'] = {str(folder / 'pulse')!r}\n"
        f"command = {dying_with_us([driver])!r}\nos.execv(command[0], command + sys.argv[1:])\n",
        encoding="utf-8",
    )
    start.chmod(start.stat().st_mode | stat.S_IXUSR)
    return start


@contextmanager
def console(folder: Path, script: Path = _SERVING, *arguments: str) -> Iterator[dict[str, Any]]:
    """Yield what a console in a process of its own prints when it is ready: url, token, first_administrator.

    Another room's `script` may serve operations of its own: see `serving.serve`.
    """
    command = dying_with_us([sys.executable, str(script), str(folder), *arguments])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = (line for line in process.stdout if line.startswith("{"))
            yield json.loads(next(lines))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_WAIT_S)
            finally:
                process.kill()


class Seen:
    """What a CSS path leads to whenever something is asked of it: a page that renews itself may put another there."""

    def __init__(self, browser: WebDriver, css: str) -> None:
        self._css = css
        self._waiting: WebDriverWait[WebDriver] = WebDriverWait(
            browser, _WAIT_S, ignored_exceptions=[StaleElementReferenceException]
        )

    @property
    def element(self) -> WebElement:
        """The element of this moment, once it is there to be seen."""
        return self._ask(lambda element: element)

    @property
    def text(self) -> str:
        """What is to be read in it."""
        return self._ask(lambda element: element.text)

    def click(self) -> None:
        """Click on it."""
        self._ask(lambda element: element.click())

    def clear(self) -> None:
        """Empty a field."""
        self._ask(lambda element: element.clear())

    def send_keys(self, *keys: str) -> None:
        """Type into it."""
        self._ask(lambda element: element.send_keys(*keys))

    def get_attribute(self, name: str) -> str | None:
        """Return an attribute, or None."""
        return self._ask(lambda element: element.get_attribute(name))

    def is_enabled(self) -> bool:
        """Whether a button may be pressed."""
        return self._ask(lambda element: element.is_enabled())

    def _ask(self, question: Callable[[WebElement], T]) -> T:
        def answer(browser: WebDriver) -> tuple[T] | None:
            shown = (one for one in browser.find_elements(By.CSS_SELECTOR, self._css) if one.is_displayed())
            element = next(shown, None)
            return None if element is None else (question(element),)

        shown = self._waiting.until(answer, f"nothing seen of {self._css}")
        assert shown is not None
        return shown[0]


def find(browser: WebDriver, css: str) -> Seen:
    """Wait until something is there to be seen, and return it."""
    seen = Seen(browser, css)
    assert seen.element
    return seen


def fill(browser: WebDriver, **fields: str) -> None:
    """Type into fields, by their id."""
    for name, value in fields.items():
        field = find(browser, f"#{name}")
        field.clear()
        field.send_keys(value)


def press(browser: WebDriver, css: str = "main button[type=submit]") -> None:
    """Press a button and wait until its page is gone, if it leads to another."""
    find(browser, css).click()


def wait_for_path(browser: WebDriver, path: str) -> None:
    """Wait until the browser shows an address."""
    waiting = WebDriverWait(browser, _WAIT_S)
    waiting.until(lambda _: browser.current_url.partition("://")[2].partition("/")[2].partition("?")[0] == path[1:])


def enter(browser: WebDriver, first_administrator: str, name: str = "chen") -> None:
    """Become the first administrator, as the printed address says."""
    browser.get(first_administrator)
    fill(browser, name=name, password=PASSWORD, password_again=PASSWORD)
    press(browser)
    wait_for_path(browser, "/admin")


def invited(
    browser: WebDriver, url: str, name: str, role: str, *, number: str = "", unit_id: str = ""
) -> None:
    """Let the administrator who is logged in make an account, and its owner set a password in the same browser."""
    browser.get(f"{url}/new-account")
    fill(browser, name=name, number=number)
    Select(find(browser, "#role").element).select_by_value(role)
    Select(find(browser, "#unit_id").element).select_by_value(unit_id)
    press(browser)
    address = find(browser, "#invitation").text
    browser.delete_all_cookies()
    browser.get(address)
    fill(browser, password=PASSWORD, password_again=PASSWORD)
    press(browser)
    WebDriverWait(browser, _WAIT_S).until(lambda _: "/welcome" not in browser.current_url)


PASSWORD = "correct horse battery"


def resize(browser: WebDriver, size: str) -> None:
    """Show the page as a screen of SIZES would."""
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def is_too_wide(browser: WebDriver) -> bool:
    """Whether the page must be scrolled sideways."""
    return bool(browser.execute_script("return document.documentElement.scrollWidth > window.innerWidth"))


def complaints(browser: WebDriver) -> list[str]:
    """Return what the browser complained of: refused scripts and styles, and errors of ours."""
    chromium: Any = browser  # what Chromium's driver can is more than every driver's
    return [one["message"] for one in chromium.get_log("browser") if one["level"] == "SEVERE"]
