"""kill -9 of the node at every named point: nothing promised to a caller, an enterprise or a receiver is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis.kill.compare import Compared
from tests.redis.kill.points import POINTS
from tests.redis.kill.story import Nursery, play

SEED = 1


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("kill"))
    yield made
    made.close()


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_here_keeps_every_promise_when_it_is_back(nursery: Nursery, point: str) -> None:
    story = play(point, SEED, nursery)
    assert not Compared(story).breaches(), story.words


def test_there_are_points_around_journal_store_dial_outcome_and_notice() -> None:
    groups = {point.partition("_")[0] for point in POINTS}
    assert groups == {"journal", "store", "dial", "outcome", "notice"}
    assert len(POINTS) >= 25
