"""Every page of the console, by role, from the table of routes: a new route is a page here or says why it is none.

    with pictured_console(folder) as served, chromium(folder) as browser:
        for page in pages():
            served.open(browser, page)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

sys.path.insert(0, str(Path(__file__).parents[2]))

from console.http.routes import TABLE, Route
from console.people.roles import Role
from console.site import PAGES
from tests.web.browsers import PASSWORD, console, fill, find, press, wait_for_path
from tests.web.pictured_morning import ACCOUNTS, build, shown_orders

assert PAGES  # importing them has filled the table
_SERVING = Path(__file__).with_name("pictured_morning.py")

# what stands in the variable parts of an address, {late} and others: see pictured_morning.shown_orders
EXAMPLES = {
    "/orders": "/orders?verdict=missed",
    "/orders/<order_id>": "/orders/{late}",
    "/orders/<order_id>/numbers": "/orders/{late}/numbers",
    "/orders/<order_id>/act/<act>": "/orders/{risky}/act/reassign",
    "/orders/<order_id>/recordings/<key>/download": "/orders/{late}",  # the key is a hash: opened by its link
    "/unit/orders/<order_id>": "/unit/orders/{reached}",
    "/reports/month": "/reports/month?month=2026-02",
    "/accounts/<name>": "/accounts/wang",
    "/admin/prompts/<name>": "/admin/prompts/greeting",
    "/seat": "/seat?q=swbl",
}
NO_PAGES = {
    "/": "leads to the first page of the role",
    "/login/code": "is asked for only between password and code",
    "/static/<name>": "a file",
    "/events": "a stream",
    "/compliance/now": "a part of /compliance",
    "/compliance/chart/<name>": "a drawing",
    "/orders/<order_id>/recordings/<key>": "sound",
    "/orders/<order_id>/recordings/<key>/waveform": "a drawing",
    "/reports/month.csv": "a file",
    "/reports/month.xlsx": "a file",
    "/me/second-factor.svg": "a drawing",
    "/admin/prompts/<name>/sound": "sound",
    "/wall/figures": "a part of /wall",
    "/seat/now": "a part of /seat",
    "/seat/search": "JSON",
    "/seat/numbers/<order_id>/messages/<key>": "sound",
    "/unit/now": "a part of /unit",
    "/unit/orders/<order_id>/now": "a part of the order's page",
    "/unit/orders/<order_id>/recordings/<key>": "sound",
    "/unit/people/now": "a part of /unit/people",
}
SAME_FOR_ALL = frozenset({"/home", "/me", "/me/second-factor"})
_LOADS_S = 60.0
_CLICKED = {"/orders/<order_id>/recordings/<key>/download": "main a[href$='/download']"}


def _load_notice(browser: WebDriver) -> None:
    fill(browser, csv="date,type,name\n2027-01-01,放假,元旦", why="国务院办公厅通知")
    press(browser, "#load button")


def _change_number(browser: WebDriver) -> None:
    browser.execute_script("const y = document.getElementById('yaml'); y.value = y.value.replace('6112', '6114')")
    fill(browser, why="窗口二换号码")
    press(browser)


def _open_earlier(browser: WebDriver) -> None:
    closure = "  closures:\\n    - {start: 2026-03-11T14:00, end: 2026-03-11T17:30, reason: 系统升级}\\n"
    browser.execute_script(
        f"const y = document.getElementById('yaml');"
        f" y.value = y.value.replace('09:00-12:00', '08:30-12:00').replace('  # weekdays', '{closure}  # weekdays')"
    )
    fill(browser, why="早半小时开放")
    press(browser)


@dataclass(frozen=True, slots=True)
class Page:
    """What one role sees at one address; `role` is None for whoever is not logged in.

    `clicked` is a link on it that leads to the page meant; `act` what is done there, and `ends_at` where that leads.
    """

    role: Role | None
    name: str
    address: str
    clicked: str = ""
    act: Callable[[WebDriver], None] | None = None
    ends_at: str = ""

    @property
    def is_pictured(self) -> bool:
        """Whether it has pictures of its own: what is the same for all roles is shown once."""
        return self.address not in SAME_FOR_ALL or self.role is Role.SUPERVISOR

    @property
    def picture(self) -> str:
        """Name of its pictures, but for the size."""
        return f"{self.role.value if self.role else 'visitor'}-{self.name}"


# what is no GET route of its own: the answer to a form, and an error
MORE = (
    Page(Role.ADMIN, "admin-calendar-preview", "/admin/calendar", act=_load_notice, ends_at="/admin/calendar/preview"),
    Page(
        Role.ADMIN, "admin-hours-preview", "/admin/hours/edit", act=_open_earlier, ends_at="/admin/hours/edit/preview"
    ),
    Page(
        Role.ADMIN, "admin-directory-preview", "/admin/directory/edit", act=_change_number,
        ends_at="/admin/directory/preview",
    ),
    Page(Role.SUPERVISOR, "refused", "/admin"),
)  # fmt: skip
_REFUSED = re.compile(r"/admin(\?lang=\w+)? - Failed to load resource: the server responded with a status of 403")


def unexpected(complaints: list[str]) -> list[str]:
    """Return what a browser complained of, but for the page that is refused on purpose."""
    return [one for one in complaints if not _REFUSED.search(one)]


@cache
def pages() -> tuple[Page, ...]:
    """Return every page of every role; AssertionError for a route of which nothing is said."""
    order = (None, Role.SUPERVISOR, Role.SEAT, Role.UNIT, Role.ADMIN)
    found = [
        _page(route, role)
        for role in order
        for route in TABLE
        if _may_be_page(route) and (route.is_public if role is None else route.serves(role))
    ]
    return tuple(sorted([*found, *MORE], key=lambda page: order.index(page.role)))


def _may_be_page(route: Route) -> bool:
    return "GET" in route.methods and not route.is_api and route.path not in NO_PAGES


def _page(route: Route, role: Role | None) -> Page:
    address = EXAMPLES.get(route.path, route.path)
    assert "<" not in address, f"{route.path}: say in EXAMPLES which one is shown, or in NO_PAGES why it is no page"
    parts = [part for part in route.path.split("/") if part and not part.startswith("<")]
    name = "-".join(parts) + ("-one" if route.path.endswith(">") else "")
    return Page(role, name, address, _CLICKED.get(route.path, ""))


@dataclass(frozen=True, slots=True)
class Served:
    """The console that is toured."""

    url: str
    numbers: dict[str, str]

    def log_in(self, browser: WebDriver, role: Role | None) -> None:
        """Be nobody, or the account of a role."""
        browser.set_page_load_timeout(_LOADS_S)
        browser.get(self.url + "/login")
        browser.delete_all_cookies()
        browser.get(self.url + "/login")
        if role is not None:
            fill(browser, name=ACCOUNTS[role].name, password=PASSWORD)
            press(browser)
            find(browser, "details.user")

    def open(self, browser: WebDriver, page: Page, language: str = "") -> None:
        """Open a page as who is logged in; all that its scripts load first is there."""
        address = self.url + page.address.format(**self.numbers)
        if language:
            address += f"{'&' if '?' in address else '?'}lang={language}"
        browser.get(address)
        if page.clicked:
            browser.get(str(find(browser, page.clicked).get_attribute("href")))
        if page.act is not None:
            page.act(browser)
            wait_for_path(browser, page.ends_at)
        headings = browser.find_elements(By.CSS_SELECTOR, "h1")
        assert len(headings) == 1, f"{len(headings)} h1: {browser.current_url}"


@contextmanager
def pictured_console(folder: Path) -> Iterator[Served]:
    """Yield a console with the whole morning in it, in a process of its own."""
    with TemporaryDirectory() as sample:
        numbers = shown_orders(build(Path(sample)))
    with console(folder, _SERVING) as told:
        yield Served(told["url"], numbers)
