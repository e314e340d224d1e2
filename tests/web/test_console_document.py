"""docs/console.md shows every page of every role, by pictures that are there and small."""

from __future__ import annotations

import re

from console.http.routes import TABLE
from tests.web.page_tour import EXAMPLES, NO_PAGES, pages
from tests.web.screenshots import DOCUMENT, IMAGES, file_names, missing_in_document

_MOST_BYTES = 6_000_000


def test_every_page_of_every_role_is_shown_and_no_picture_is_left_over() -> None:
    assert missing_in_document() == set()
    shown = set(re.findall(r"images/([^)]+)", DOCUMENT.read_text(encoding="utf-8")))
    assert shown == file_names() == {path.name for path in IMAGES.glob("*.png")}


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.glob("*.png")) < _MOST_BYTES


def test_nothing_is_said_of_addresses_that_are_no_more() -> None:
    known = {route.path for route in TABLE}
    assert EXAMPLES.keys() | NO_PAGES.keys() <= known
    assert len({page.picture for page in pages()}) == len(pages())
