"""No console of a test stands longer than the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.visitors import torn_down


@pytest.fixture(autouse=True)
def _houses_are_torn_down() -> Iterator[None]:
    with torn_down():
        yield
