"""kill -9 of the node at every named point: nothing promised to a caller, an enterprise or a receiver is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from callback_scheduler.orders.states import OrderState
from tests.redis.kill.claims import broken
from tests.redis.kill.heard import Compared
from tests.redis.kill.points import POINTS
from tests.redis.kill.story import KILLED, Nursery, Story, chains, play
from tests.redis.kill.town import ENTERPRISES
from tests.redis.receivers import HttpReceiver

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
    assert not broken(Compared(story)), story.words


def test_there_are_points_around_journal_store_dial_outcome_and_notice() -> None:
    groups = {point.partition("_")[0] for point in POINTS}
    assert groups == {"journal", "store", "dial", "outcome", "notice", "node"}
    assert len(POINTS) >= 25


def without_an_order(story: Story) -> Story:
    return replace(story, orders=story.orders[:-1])


def without_a_letter(story: Story) -> Story:
    lost = story.board.posts[-1].key
    return replace(story, board=HttpReceiver(posts=[post for post in story.board.posts if post.key != lost]))


def with_a_ring_nobody_meant(story: Story) -> Story:
    ring = next(one for one in story.named("rung") if one["number"] in ENTERPRISES)
    return replace(story, seen=[*story.seen, replace(ring, fields=ring.fields | {"line": 4711})])


def with_a_late_kill(story: Story) -> Story:
    return replace(story, statuses=[*story.statuses, KILLED])


def called_back_for_ever(story: Story) -> Story:
    first, *others = story.orders
    return replace(story, orders=[replace(first, state=OrderState.CALLING_BACK), *others])


@pytest.mark.parametrize("doctored", [
    without_an_order, without_a_letter, with_a_ring_nobody_meant, with_a_late_kill, called_back_for_ever,
])  # fmt: skip
def test_the_harness_sees_what_is_wrong(
    story_of: Callable[[str], Story], doctored: Callable[[Story], Story]
) -> None:
    assert broken(Compared(doctored(story_of("dial_enterprise_answered"))))
