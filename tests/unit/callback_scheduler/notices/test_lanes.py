"""Lanes: what goes out next, in which order, after which pause."""

from __future__ import annotations

import random
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.notices.lanes import Lane, Lanes
from config.notices import Retry
from routing.clock import SHANGHAI

RETRY = Retry(first_pause_s=1, longest_pause_s=60, gives_up_after=3)


def lanes(parallel: int = 2, gather_s: float = 0.0) -> Lanes:
    return Lanes(RETRY, parallel, gather_s, random.Random(1))


def letter(position: int) -> tuple[int, JournalEvent]:
    return position, JournalEvent(f"e{position}", "order_noted", datetime(2026, 3, 3, tzinfo=SHANGHAI), {})


def names(begun: list[Lane]) -> list[str]:
    return [lane.name for lane in begun]


def test_of_one_order_the_next_letter_waits_for_the_one_before() -> None:
    all_lanes = lanes()
    for position, name in enumerate("aab", start=1):
        all_lanes.put(name, letter(position), 0.0)
    a, b = all_lanes.begin(0.0)
    assert (a.name, b.name) == ("a", "b")
    assert all_lanes.begin(0.0) == []
    assert all_lanes.settle(b, 1) == [3]
    assert all_lanes.begin(0.0) == []
    assert all_lanes.settle(a, 1) == [1]
    (again,) = all_lanes.begin(0.0)
    assert [position for position, _ in again.letters] == [2]
    assert (all_lanes.waiting, all_lanes.first_unsettled) == (1, 2)


def test_no_more_go_out_at_once_than_the_receiver_takes() -> None:
    all_lanes = lanes(parallel=3)
    for position in range(1, 9):
        all_lanes.put(str(position), letter(position), 0.0)
    assert names(all_lanes.begin(0.0)) == ["1", "2", "3"]
    assert all_lanes.begin(0.0) == []


def test_a_receiver_that_fails_is_left_alone_then_tried_with_one_letter_that_was_not_tried() -> None:
    all_lanes = lanes(parallel=3)
    for position in range(1, 9):
        all_lanes.put(str(position), letter(position), 0.0)
    for lane in all_lanes.begin(0.0):
        all_lanes.put_off(lane, 0.0, 0.0)
    assert all_lanes.failures == 1  # three at the same moment are one
    assert all_lanes.begin(0.4) == []
    moment_s = all_lanes.next_moment_s(0.4)
    assert moment_s is not None
    assert 0.5 <= moment_s <= 1.0
    (probe,) = all_lanes.begin(1.0)
    assert probe.name == "4"
    all_lanes.note_answer(1)
    all_lanes.settle(probe, 1)
    assert names(all_lanes.begin(1.0)) == ["5", "6", "7"]


def test_pauses_double_with_jitter_up_to_the_bound() -> None:
    all_lanes = lanes(parallel=1)
    all_lanes.put("a", letter(1), 0.0)
    now_s, pauses = 0.0, []
    for _ in range(12):
        (lane,) = all_lanes.begin(now_s)
        all_lanes.put_off(lane, now_s, 0.0)
        later_s = all_lanes.next_moment_s(now_s)
        assert later_s is not None
        pauses.append(later_s - now_s)
        now_s = later_s
    for n, pause_s in enumerate(pauses):
        whole = min(60.0, 2.0**n)
        assert whole / 2 <= pause_s <= whole
    assert len(set(pauses)) == 12


def test_a_pause_the_receiver_asks_for_is_kept_within_an_hour() -> None:
    all_lanes = lanes()
    all_lanes.put("a", letter(1), 0.0)
    all_lanes.put_off(all_lanes.begin(0.0)[0], 0.0, asked_s=120.0)
    assert all_lanes.next_moment_s(0.0) == 120.0
    all_lanes.put_off(all_lanes.begin(120.0)[0], 120.0, asked_s=1e9)
    assert all_lanes.next_moment_s(120.0) == 3720.0


def test_a_letter_is_hopeless_only_if_others_arrive_after_its_tries() -> None:
    alone = lanes(parallel=1)
    alone.put("a", letter(1), 0.0)
    for n in range(50):
        (lane,) = alone.begin(n * 1000.0)
        assert not alone.is_hopeless(lane)  # the receiver may be away for a week
        alone.put_off(lane, n * 1000.0, 0.0)

    among_others = lanes(parallel=1)
    among_others.put("a", letter(1), 0.0)
    verdicts = []
    for n in range(4):
        (lane,) = among_others.begin(n * 1000.0)
        verdicts.append(among_others.is_hopeless(lane))
        among_others.put_off(lane, n * 1000.0, 0.0)
        among_others.note_answer(1)
    assert verdicts == [False, False, False, True]


def test_the_first_letter_of_a_lane_waits_for_others_to_go_with_it() -> None:
    all_lanes = lanes(gather_s=20.0)
    all_lanes.put("unit", letter(1), 0.0)
    all_lanes.put("unit", letter(2), 15.0)
    assert all_lanes.begin(19.9) == []
    assert all_lanes.next_moment_s(15.0) == 20.0
    (lane,) = all_lanes.begin(20.0)
    assert all_lanes.settle(lane, 2) == [1, 2]
    assert all_lanes.waiting == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 4), st.randoms(use_true_random=False))
def test_whatever_fails_every_letter_is_settled_once_and_in_order_per_lane(
    orders: list[str], parallel: int, chance: random.Random
) -> None:
    all_lanes = Lanes(RETRY, parallel, 0.0, chance)
    for position, name in enumerate(orders, start=1):
        all_lanes.put(name, letter(position), 0.0)
    settled: list[int] = []
    under_way: list[Lane] = []
    now_s, failures = 0.0, 0
    for _ in range(2000):
        under_way += all_lanes.begin(now_s)
        assert len(under_way) <= parallel
        if not under_way:
            later_s = all_lanes.next_moment_s(now_s)
            if later_s is None:
                break
            now_s = later_s
            continue
        lane = under_way.pop(chance.randrange(len(under_way)))
        if failures < 300 and chance.random() < 0.3:  # in the end the receiver comes back
            failures += 1
            all_lanes.put_off(lane, now_s, 0.0)
        else:
            all_lanes.note_answer(1)
            settled += all_lanes.settle(lane, 1)
    assert sorted(settled) == list(range(1, len(orders) + 1))
    for name in set(orders):
        of_lane = [position for position in settled if orders[position - 1] == name]
        assert of_lane == sorted(of_lane)
    assert all_lanes.first_unsettled is None
