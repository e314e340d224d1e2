"""kill -9 of the node at every named point: nothing promised to a caller, an enterprise or a receiver is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.redis.kill.compare import Compared
from tests.redis.kill.points import POINTS
from tests.redis.kill.story import Nursery, Story, chains, play

SEED = 1


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("kill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def story_of(nursery: Nursery) -> Callable[[str], Story]:
    """Play the story in which a point comes, which it may share with another one."""

    @cache
    def played(chain: tuple[str, ...]) -> Story:
        return play(chain, SEED, nursery)

    return lambda point: next(played(chain) for chain in chains() if point in chain)


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_here_keeps_every_promise_when_it_is_back(story_of: Callable[[str], Story], point: str) -> None:
    story = story_of(point)
    assert point not in story.never_reached
    assert not Compared(story).breaches(), story.words


def test_there_are_points_around_journal_store_dial_outcome_and_notice() -> None:
    groups = {point.partition("_")[0] for point in POINTS}
    assert groups == {"journal", "store", "dial", "outcome", "notice"}
    assert len(POINTS) >= 25
