"""A short rehearsal of a previewed site in a child process: the same as by hand, and gone with who asked for it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from twisted.internet import reactor

import config
from ivr.trial_rehearsal import RehearsalFailed, trial_rehearsal
from routing.site import load_site
from tests.redis.nodes import InReactor

SITE = load_site(Path(config.__file__).parent / "hotline.yaml")
DAYS = {"since": date(2026, 3, 3), "until": date(2026, 3, 5)}


def test_a_child_plays_the_days_of_a_preview_and_tells_what_would_breach(in_reactor: InReactor) -> None:
    result = in_reactor(trial_rehearsal, SITE, reactor, **DAYS, orders=15, seed=1, most_s=120.0)
    assert result["calls"] == 15
    assert sum(result["verdicts"].values()) == result["orders"]
    assert result["breaches_in_all"] == len(result["breaches"])
    assert result["calendar"] == SITE.calendar.version


def test_a_rehearsal_that_takes_too_long_is_ended(in_reactor: InReactor) -> None:
    with pytest.raises(RehearsalFailed):
        in_reactor(trial_rehearsal, SITE, reactor, **DAYS, orders=15, seed=1, most_s=0.0)
