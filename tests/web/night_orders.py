"""An enterprise that rings at night, and its order as the node and a page tell of it."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver

from demo.phone import Phone
from tests.sip.house import CALLER_TONE, House, until
from tests.web.browsers import find


def leave_request(house: House, key: str) -> tuple[Phone, str]:
    """Let an enterprise ring at night and hang up half way; return its phone, and the number of the order."""
    enterprise = house.caller(CALLER_TONE)
    house.switchboard.connect(enterprise.number, enterprise.sip_port)
    house.ring_up(enterprise)
    house.wait_step(enterprise, "menu")
    enterprise.press(key)
    house.wait_step(enterprise, "number")
    enterprise.hangup()
    return enterprise, str(house.order(enterprise)["order_id"])


def state(house: House, order_id: str) -> dict[str, Any]:
    """Return an order as the node has it."""
    found: dict[str, Any] = house.service.ask("order", order_id=order_id)
    return found


def shows(browser: WebDriver, words: str, timeout_s: float = 20.0) -> None:
    """Wait until the page shows words by itself."""
    until(f"{words!r} on {browser.current_url}", lambda: words in find(browser, "main").text, timeout_s)
