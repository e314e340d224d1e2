"""One clock tells the time, and a rehearsal can set it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from twisted.internet import task

from routing.clock import SHANGHAI, MovableClock, SystemClock


def test_system_clock_is_aware_and_in_shanghai() -> None:
    now = SystemClock().now()
    assert now.tzinfo is SHANGHAI
    assert now.utcoffset() == timedelta(hours=8)
    assert abs(now - datetime.now(timezone.utc)) < timedelta(seconds=5)


def test_movable_clock_runs_on_from_what_it_was_set_to() -> None:
    elapsed = task.Clock()
    clock = MovableClock(datetime(2026, 2, 14, 18, 0, tzinfo=SHANGHAI), elapsed.seconds)
    elapsed.advance(90)
    assert clock.now() == datetime(2026, 2, 14, 18, 1, 30, tzinfo=SHANGHAI)


def test_movable_clock_runs_on_after_it_was_advanced_and_set_again() -> None:
    elapsed = task.Clock()
    clock = MovableClock(datetime(2026, 2, 14, 18, 0, tzinfo=SHANGHAI), elapsed.seconds)
    elapsed.advance(1)
    clock.advance(timedelta(hours=15))
    elapsed.advance(1)
    assert clock.now() == datetime(2026, 2, 15, 9, 0, 2, tzinfo=SHANGHAI)
    clock.set(datetime(2026, 3, 1, 8, 0, tzinfo=SHANGHAI))
    elapsed.advance(2)
    assert clock.now() == datetime(2026, 3, 1, 8, 0, 2, tzinfo=SHANGHAI)


def test_a_time_without_zone_is_shanghais_and_another_zone_is_converted() -> None:
    standing = task.Clock().seconds
    assert MovableClock(datetime(2026, 2, 14, 18, 0), standing).now().isoformat() == "2026-02-14T18:00:00+08:00"  # noqa: DTZ001
    at = datetime(2026, 2, 14, 10, 0, tzinfo=timezone.utc)
    assert MovableClock(at, standing).now().isoformat() == "2026-02-14T18:00:00+08:00"


def test_movable_clock_starts_at_the_present() -> None:
    assert abs(MovableClock().now() - SystemClock().now()) < timedelta(seconds=5)
