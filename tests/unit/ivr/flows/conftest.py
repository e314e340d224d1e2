"""Calls in virtual time, which hanging up must end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import config
from routing.site import Site, load_site
from tests.fakes.line import MORNING, Phones, Story

Tell = Callable[..., Story]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(at: datetime = MORNING, phones: Phones | None = None, **manners: Any) -> Story:
        stories.append(Story(site, tmp_path, at, phones or {}, **manners))
        return stories[-1]

    yield begin
    for story in stories:  # however a test leaves its call, hanging up must end it
        if not story.done.called:
            story.end_everything().finish()
