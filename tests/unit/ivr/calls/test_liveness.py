"""Who is there and who has left: signs of life, seconds of talk, and phones that went silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.calls.liveness import Liveness
from ivr.calls.talk_meter import TalkMeter
from ivr.line.messages import Heartbeat


@dataclass(eq=False)
class Party:
    leg_id: int
    is_up: bool = True
    record: Any = field(default_factory=lambda: SimpleNamespace(two_way_s=0.0))


CALLER, SEAT, THIRD = Party(2), Party(1), Party(3)


def beat(at: float, **signs: int) -> Heartbeat:
    return Heartbeat(monotonic_s=at, signs_of_life={int(leg[1:]): count for leg, count in signs.items()})


def test_a_leg_without_any_sign_for_ten_seconds_has_left() -> None:
    life = Liveness(10.0)
    silent = [life.silent(beat(at, _2=5 + at, _1=7), (CALLER, SEAT), None) for at in range(12)]
    assert silent == [[]] * 10 + [[1]] * 2


def test_a_leg_that_never_sent_anything_counts_from_its_answer() -> None:
    life, rings = Liveness(10.0), Party(1, is_up=False)
    assert all(not life.silent(beat(at, _1=0), (rings,), None) for at in range(30))
    rings.is_up = True
    silent = [life.silent(beat(30 + at, _1=0), (rings,), None) for at in range(11)]
    assert silent == [[]] * 9 + [[1]] * 2


def test_one_we_hold_is_excused_and_counts_anew_afterwards() -> None:
    life = Liveness(10.0)
    assert all(not life.silent(beat(at, _2=1), (CALLER,), CALLER) for at in range(60))
    assert not life.silent(beat(65, _2=1), (CALLER,), None)
    assert life.silent(beat(69, _2=1), (CALLER,), None) == [2]


def test_it_can_be_turned_off_and_an_old_line_tells_nothing() -> None:
    off, life = Liveness(0.0), Liveness(10.0)
    assert all(not off.silent(beat(at, _2=1), (CALLER,), None) for at in range(100))
    assert all(not life.silent(Heartbeat(monotonic_s=at, rx_packets={2: 1}), (CALLER,), None) for at in range(100))


def measured(signs: Sequence[tuple[float, int, int]], joined_at: float = 0.0) -> float:
    """Return the talk of caller and seat, whose signs are told as (second, caller's, seat's)."""
    meter = TalkMeter()
    seat = Party(1)
    meter.join((CALLER, seat), joined_at)  # type: ignore[arg-type]
    for at, caller, others in signs:
        meter.beat(beat(at, _2=caller, _1=others), (CALLER, seat), CALLER)  # type: ignore[arg-type]
    assert seat.record.two_way_s == pytest.approx(meter.caller_s)
    return meter.caller_s


def test_a_listener_who_only_reports_every_five_seconds_talks_all_the_time() -> None:
    first_report_s = 4.0  # when the second began in which it came
    assert measured([(at, at // 5, 50 * at) for at in range(1, 41)]) == pytest.approx(40.0 - first_report_s)


def test_what_a_phone_did_not_live_to_hear_is_no_talk() -> None:
    died_at = 12
    assert measured([(at, 50 * min(at, died_at), 50 * at) for at in range(1, 40)]) == pytest.approx(died_at, abs=1)


def test_a_silence_of_more_than_ten_seconds_is_not_counted_afterwards() -> None:
    signs = [(at, at if at <= 5 or at > 20 else 5, at) for at in range(1, 31)]
    assert measured(signs) == pytest.approx(5 + 10, abs=1)


def test_nothing_from_either_side_is_no_talk() -> None:
    assert measured([(at, 0, at) for at in range(1, 30)]) == 0.0
    assert measured([(at, 0, 0) for at in range(1, 30)]) == 0.0


def test_a_third_who_joins_later_has_only_their_own_seconds() -> None:
    meter, seat, third = TalkMeter(), Party(1), Party(3)
    meter.join((CALLER, seat), 0.0)  # type: ignore[arg-type]
    for at in range(1, 31):
        if at == 20:
            meter.join((CALLER, seat, third), 20.0)  # type: ignore[arg-type]
        joined = (CALLER, seat, third) if at >= 20 else (CALLER, seat)
        meter.beat(beat(at, _2=at, _1=at, _3=at), joined, CALLER)  # type: ignore[arg-type]
    assert (seat.record.two_way_s, third.record.two_way_s) == (pytest.approx(29.0, abs=1), pytest.approx(10.0, abs=1))
    assert meter.caller_s == pytest.approx(29.0, abs=1)
