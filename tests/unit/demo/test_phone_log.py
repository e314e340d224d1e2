"""How a phone's log reads."""

from __future__ import annotations

from demo.phone_log import PhoneLog
from ivr.line.messages import LegRinging, LineFault


def test_the_log_shows_seconds_since_its_first_line() -> None:
    log = PhoneLog("seat")
    log.add(LegRinging(1, 180, monotonic_s=100.0, wall_s=1.0))
    log.add(LineFault("no media", monotonic_s=101.25, wall_s=2.25))
    assert str(log) == "     0.000 s  LegRinging leg=1 sip_status=180\n     1.250 s  FAULT no media"


def test_an_empty_log_says_so() -> None:
    assert str(PhoneLog("seat").trouble("heard nothing")) == "seat heard nothing; its log:\n  (nothing)"


def test_an_event_without_a_clock_gets_that_of_its_arrival() -> None:
    log = PhoneLog("seat")
    log.note("dials")
    log.add(LegRinging(1, 180))
    noted, rang = log.entries
    assert 0 <= rang.monotonic_s - noted.monotonic_s < 5
