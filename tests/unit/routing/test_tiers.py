"""Tiers overlap, a line has few legs, and nobody rings too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.tiers import Specialist, Tier, plan


def person(number: int) -> Specialist:
    return Specialist(f"p{number}", f"人{number}", str(number))


def tier(after_s: float, *numbers: int) -> Tier:
    return Tier(tuple(person(number) for number in numbers), after_s)


def course(
    *tiers: Tier, ring_s: float = 18.0, ring_all_s: float = 45.0, legs_free: int = 3
) -> list[tuple[str, float, float]]:
    starts = plan(tiers, ring_s, ring_all_s, legs_free)
    return [(start.specialist.number, start.at_s, start.until_s) for start in starts]


def test_second_tier_rings_before_the_first_has_stopped() -> None:
    assert course(tier(0, 1), tier(12, 2)) == [("1", 0, 18), ("2", 12, 30)]


def test_whoever_finds_no_free_leg_waits_for_one() -> None:
    assert course(tier(0, 1, 2, 3), tier(12, 4), legs_free=2) == [
        ("1", 0, 18),
        ("2", 0, 18),
        ("3", 18, 36),
        ("4", 18, 36),
    ]


def test_next_tier_begins_early_when_nobody_rings_any_more() -> None:
    assert course(tier(0, 1), tier(40, 2)) == [("1", 0, 18), ("2", 18, 36)]


def test_first_tier_rings_at_once_even_if_it_has_a_time_of_its_own() -> None:
    assert course(tier(5, 1)) == [("1", 0, 18)]


def test_everything_stops_when_the_time_is_up() -> None:
    assert course(tier(0, 1), tier(12, 2), tier(24, 3), tier(36, 4), ring_all_s=30) == [
        ("1", 0, 18),
        ("2", 12, 30),
        ("3", 24, 30),
    ]


def test_a_number_of_two_tiers_is_rung_in_its_first_only() -> None:
    assert course(tier(0, 1), tier(12, 1, 2)) == [("1", 0, 18), ("2", 12, 30)]


def test_without_a_free_leg_or_a_tier_nobody_is_rung() -> None:
    assert course(tier(0, 1), legs_free=0) == []
    assert course() == []


tiers_of_any_size = st.lists(st.lists(st.integers(10, 30), max_size=4), max_size=5)


@given(tiers_of_any_size, st.integers(1, 4), st.sampled_from([5.0, 18.0, 45.0]), st.sampled_from([6.0, 12.0, 50.0]))
def test_legs_and_times_are_never_exceeded_and_order_is_kept(
    numbers: list[list[int]], legs_free: int, ring_s: float, step_s: float
) -> None:
    tiers = [tier(place * step_s, *members) for place, members in enumerate(numbers)]
    starts = plan(tiers, ring_s, 45.0, legs_free)
    for start in starts:
        at_once = [other for other in starts if other.at_s <= start.at_s < other.until_s]
        assert len(at_once) <= legs_free
        assert 0 <= start.at_s < start.until_s <= 45.0
        assert start.until_s - start.at_s <= ring_s
    assert len({start.specialist.number for start in starts}) == len(starts)
    assert [start.at_s for start in starts] == sorted(start.at_s for start in starts)
    assert [start.tier for start in starts] == sorted(start.tier for start in starts)


@given(tiers_of_any_size)
def test_with_time_and_legs_enough_everybody_is_rung(numbers: list[list[int]]) -> None:
    tiers = [tier(place * 12.0, *members) for place, members in enumerate(numbers)]
    starts = plan(tiers, 18.0, 10_000.0, 100)
    assert {int(start.specialist.number) for start in starts} == {number for members in numbers for number in members}
