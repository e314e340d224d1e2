"""Callbacks in virtual time, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import config
from ivr.speech.prompts import Prompt
from routing.site import Site, load_site
from tests.fakes.callback_story import ENTERPRISE, CallbackStory
from tests.fakes.line import Behaviour

ACCEPTS = Behaviour(answers_after_s=1.0, presses="1")
BUSY = Behaviour(refuses_with=486)
ANSWERS = Behaviour(answers_after_s=2.0)
TAX = "6111"
Tell = Callable[..., CallbackStory]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[CallbackStory] = []

    def begin(phones: dict[str, Behaviour] | None = None, **manners: object) -> CallbackStory:
        stories.append(CallbackStory(site, tmp_path, {"6112": BUSY, **(phones or {})}, **manners))
        return stories[-1]

    yield begin
    for story in stories:  # however a test leaves its call, hanging up must end it
        for leg in sorted(story.slot.live):
            story.slot.end(leg)
        story.run(8)
        assert not story.callbacks._running


def talking(tell: Tell, seconds: float = 12.0, **phones: Behaviour) -> CallbackStory:
    """Bring specialist 6111 and the enterprise together, and let them talk."""
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS, **phones}).ring_back()
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE).run(2.2)
    assert story.are_joined(ENTERPRISE, TAX)
    return story.run(seconds)
