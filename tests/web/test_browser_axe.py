"""axe-core on every page of every role, in Chinese and in English: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from console.people.roles import Role
from tests.web.browsers import SIZES, chromium, complaints, is_too_wide, resize
from tests.web.page_tour import Served, pages, pictured_console, unexpected

pytestmark = pytest.mark.browser
ROLES = [None, *Role]
_GRAVE = ("serious", "critical")
_AXE = resources.files("axe_core_python") / "axe.min.js"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def served(browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pictured_console(tmp_path_factory.mktemp("pictured") / "var") as told:
        yield told


def grave_findings(browser: WebDriver) -> list[str]:
    """Return what axe-core finds on the page that is open."""
    browser.execute_script(_AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = browser.execute_async_script("axe.run(document).then(arguments[arguments.length - 1])")
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found["violations"] if one["impact"] in _GRAVE
        for node in one["nodes"]
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.value if role else "visitor")
def test_no_page_has_a_serious_finding_or_an_error_or_is_wider_than_its_screen(
    served: Served, browser: WebDriver, role: Role | None, language: str
) -> None:
    served.log_in(browser, role)
    found = []
    for page in (one for one in pages() if one.role is role):
        served.open(browser, page, language)
        for size in SIZES:
            resize(browser, size)
            found += [f"{page.picture}-{size} {one}" for one in grave_findings(browser)]
            found += [f"{page.picture}-{size} is wider than its screen"] if is_too_wide(browser) else []
    assert found + unexpected(complaints(browser)) == []


def test_axe_finds_what_is_wrong(served: Served, browser: WebDriver) -> None:
    served.log_in(browser, None)
    browser.execute_script("document.querySelector('label').remove()")
    assert any("label" in one for one in grave_findings(browser))
