"""How lines are handed out, watched, recycled and buried: a pool whose processes and sockets are played by the test."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import StringTransport

from ivr.line import messages as m
from ivr.pool.pool import LineDied, LinePool, LinesDidNotStart
from tests.fakes.pool import Lines, ring, settings
from tests.unit.ivr.pool.conftest import Make


def test_spare_lines_are_ready_before_anybody_calls_and_again_after_each_call(make: Make) -> None:
    house = make()
    assert house.pool.status()["free"] == 2
    house.take()
    assert house.pool.status() == {"total": 3, "free": 2, "in_use": 1, "recycled": 0, "died": 0, "cap": 4,
                                   "births_failed": 0, "can_grow": 1, "is_failing": 0}  # fmt: skip


def test_a_full_pool_gives_nothing_and_never_more_lines_than_allowed(make: Make) -> None:
    house = make()
    slots = [house.take() for _ in range(4)]
    assert house.pool.take() is None
    assert house.pool.status()["total"] == 4
    slots[0].release()
    assert house.pool.take() is not None


def test_the_last_lines_are_kept_for_callbacks(make: Make) -> None:
    house = make(count=10, reserved_for_callbacks_percent=20)
    for _ in range(8):
        house.take()
    assert house.pool.take() is None
    house.take(for_callback=True)
    house.take(for_callback=True)
    assert house.pool.take(for_callback=True) is None


def test_callbacks_that_run_already_count_as_the_reserved_ones(make: Make) -> None:
    house = make(count=10, reserved_for_callbacks_percent=20)
    house.take(for_callback=True)
    house.take(for_callback=True)
    for _ in range(8):
        house.take()
    assert house.pool.take() is None


def test_callbacks_leave_as_many_lines_as_live_callers_may_need_next(make: Make) -> None:
    house = make(count=10, spare=3, reserved_for_callbacks_percent=20)
    assert house.pool.free_for_callbacks() == 7


def test_the_lines_kept_for_callbacks_are_theirs_in_a_full_house(make: Make) -> None:
    house = make(count=10, spare=3, reserved_for_callbacks_percent=20)
    for _ in range(8):
        house.take()
    assert house.pool.free_for_callbacks() == 2
    house.take(for_callback=True)
    assert house.pool.free_for_callbacks() == 1


def test_a_silent_line_is_killed_told_of_and_replaced(make: Make) -> None:
    house = make()
    slot = house.take()
    heard: list[m.Event] = []
    slot.listener = heard.append
    house.lines.silent.add(slot.line_id)
    house.lines.run(4)
    assert not any(isinstance(event, LineDied) for event in heard)
    house.lines.run(2)
    assert [(e.line, e.sip_port) for e in heard if isinstance(e, LineDied)] == [(slot.line_id, slot.sip_port)]
    assert house.lines.parents[0].killed == [slot.line_id]
    assert house.died == [slot.sip_port]
    assert house.pool.status()["died"] == 1
    assert house.pool.status()["free"] == 2


def test_lines_are_not_blamed_for_a_sleep_of_the_node(make: Make) -> None:
    house = make()
    house.lines.advance(30)
    house.lines.run(3)
    assert house.died == []
    assert house.pool.status()["free"] == 2


def test_a_line_that_dies_by_itself_is_told_of_once(make: Make) -> None:
    house = make()
    slot = house.take()
    heard: list[m.Event] = []
    slot.listener = heard.append
    house.lines.parents[0].exited(slot.line_id, -11)
    house.lines.run(3)
    assert [type(event) for event in heard] == [LineDied]
    assert house.died == [slot.sip_port]


def test_a_release_hangs_up_what_is_left_and_the_line_is_free_when_the_legs_have_ended(make: Make) -> None:
    house = make()
    slot = house.take()
    leg = ring(slot)
    assert slot.legs_free == 3
    slot.release()
    slot.release()
    assert house.pool.status()["in_use"] == 1
    assert [c for c in house.lines.living[slot.line_id].heard if isinstance(c, m.Hangup)] == [m.Hangup(leg=leg)]
    house.lines.advance(0.02)
    assert house.pool.status()["in_use"] == 0


def test_a_line_is_not_given_to_the_next_caller_before_the_last_recording_is_closed(make: Make) -> None:
    house = make()
    slot = house.take()
    slot.send(m.Record(recording=7, path="/r.wav", legs=(2,)))
    slot.release()
    line = house.lines.living[slot.line_id]
    assert m.StopRecord(recording=7) in line.heard
    assert house.pool.status()["in_use"] == 1
    line.say(m.RecordEnded(recording=7, path="/r.wav", duration_ms=1))
    assert house.pool.status()["in_use"] == 0


def test_a_line_whose_leg_will_not_end_is_given_up(make: Make) -> None:
    house = make()
    slot = house.take()
    house.lines.living[slot.line_id].hangs_up = False
    ring(slot)
    slot.release()
    house.lines.run(8)
    assert slot.line_id not in house.lines.living
    assert house.pool.status()["recycled"] == 1
    assert house.pool.status()["in_use"] == 0
    assert house.died == []


def test_a_line_is_recycled_after_its_share_of_calls_but_never_in_one(make: Make) -> None:
    house = make(count=1, spare=1, recycle_after_calls=2)
    first = house.take()
    first.release()
    second = house.take()
    assert second.line_id == first.line_id
    house.lines.run(3)
    assert first.line_id in house.lines.living
    second.release()
    house.lines.pump([0.02, 0.02])
    assert house.pool.status()["recycled"] == 1
    assert house.take().line_id != first.line_id


def test_a_line_whose_legs_linger_is_given_to_nobody_and_recycled_after_its_last_byes(make: Make) -> None:
    house = make()
    slot = house.take()
    line = house.lines.living[slot.line_id]
    line.say(m.LegEnded(leg=ring(slot), sip_status=200, is_lingering=True))
    assert slot.legs_free == 3
    slot.release()
    house.lines.run(2)
    assert {house.take().line_id, house.take().line_id}.isdisjoint({slot.line_id})
    assert line.heard[-1] != m.Quit()
    house.lines.run(8)
    assert slot.line_id not in house.lines.living
    assert house.pool.status()["recycled"] == 1
    assert house.died == []


def test_a_line_that_was_refused_is_asked_for_again(make: Make) -> None:
    house = make(count=4, spare=2)
    house.lines.answers = False
    slot = house.pool.take()
    assert slot is not None
    assert house.pool.status()["total"] == 3
    house.lines.answers = True
    said = json.dumps({"refused": 3, "most_lines": 1}).encode() + b"\n"
    house.lines.parents[0].protocol.outReceived(said.replace(b"3,", b"%d," % max(house.pool._lines)))
    house.lines.pump([0.02, 0.02])
    assert house.pool.status()["free"] == 2
    slot.release()


def test_an_old_line_is_recycled_when_idle(make: Make) -> None:
    house = make(recycle_after_h=0.01)
    before = set(house.lines.living)
    house.lines.run(40)
    assert not before & set(house.lines.living)
    assert house.pool.status()["free"] == 2
    assert house.died == []


def test_an_invite_that_was_expected_goes_to_its_slot_and_a_stray_one_is_refused(make: Make) -> None:
    house = make()
    slot = house.take()
    heard: list[m.Event] = []
    slot.listener = heard.append
    slot.expect("call-1")
    assert slot.legs_free == 3
    line = house.lines.living[slot.line_id]
    line.say(m.LegIncoming(leg=2, sip_call_id="call-1", from_uri="sip:a@b", to_uri="sip:c@d"))
    line.say(m.LegIncoming(leg=4, sip_call_id="call-2", from_uri="sip:a@b", to_uri="sip:c@d"))
    assert [getattr(event, "leg", None) for event in heard] == [2]
    assert slot.legs_free == 3
    assert line.heard[-1] == m.Reject(leg=4, sip_status=480)


def test_a_listener_that_fails_does_not_break_the_line(make: Make) -> None:
    house = make()
    slot = house.take()

    def fails(_event: m.Event) -> None:
        raise RuntimeError("a flow's mistake")

    slot.listener = fails
    leg = ring(slot)
    house.lines.living[slot.line_id].say(m.LegEnded(leg=leg, sip_status=486))
    slot.release()
    assert house.pool.status()["in_use"] == 0


def test_a_build_that_carries_more_legs_gives_one_line_to_several_conversations_that_never_mix(make: Make) -> None:
    house = make(max_legs=8, count=1, spare=2)
    one, two = house.take(), house.take()
    assert one.line_id == two.line_id
    assert house.pool.take() is None
    heard: dict[str, list[m.Event]] = {"one": [], "two": []}
    one.listener, two.listener = heard["one"].append, heard["two"].append
    line = house.lines.living[one.line_id]
    for slot in (one, two):
        leg = ring(slot)
        slot.send(m.Bridge(bridge=1, legs=(leg,)))
        slot.send(m.Play(leg=leg, play=1, files=()))
        slot.send(m.Record(recording=1, path="", legs=(leg,)))
    assert len({c.bridge for c in line.heard if isinstance(c, m.Bridge)}) == 2
    plays = [c for c in line.heard if isinstance(c, m.Play)]
    records = [c for c in line.heard if isinstance(c, m.Record)]
    line.say(m.PlayEnded(leg=plays[1].leg, play=plays[1].play, finished=True))
    line.say(m.RecordEnded(recording=records[0].recording, path="", duration_ms=5))
    assert heard["two"] == [m.PlayEnded(leg=plays[1].leg, play=1, finished=True)]
    assert heard["one"] == [m.RecordEnded(recording=1, path="", duration_ms=5)]


def test_when_the_warm_parent_dies_all_calls_are_told_and_it_comes_back_later_and_later(make: Make) -> None:
    house = make()
    slot = house.take()
    heard: list[m.Event] = []
    slot.listener = heard.append
    house.lines.parents[0].end()
    assert [type(event) for event in heard] == [LineDied]
    assert len(house.died) == 3
    assert house.pool.take() is None
    house.lines.pump([0.5, 0.02])
    assert house.pool.status()["free"] == 3  # the spare ones, and one for the call that asked in vain
    house.lines.parents[1].end()
    house.lines.advance(0.9)
    assert len(house.lines.parents) == 2
    house.lines.pump([0.2, 0.02])
    assert len(house.lines.parents) == 3
    assert house.pool.status()["free"] == 2


def test_stopping_ends_every_line_and_leaves_no_timer(make: Make) -> None:
    house = make()
    house.take().release()
    house.stop()
    assert house.lines.living == {}
    assert house.died == []
    assert house.pool.take() is None


def test_a_stranger_on_the_socket_is_not_taken_for_a_line(make: Make) -> None:
    house = make()
    stranger = house.lines.factory.buildProtocol(None)
    transport = StringTransport()
    stranger.makeConnection(transport)
    stranger.dataReceived(m.encode(m.Hello(line=99, pid=1, sip_port=1, max_legs=4)))
    assert transport.disconnecting
    assert house.pool.status()["total"] == 2


def test_lines_that_never_come_up_are_an_error_at_start() -> None:
    lines = Lines()
    lines.answers = False
    pool = LinePool(settings(), lambda: m.LineConfig(line=0, socket_path=""), lines, spawn=lines.spawn)
    started = ensureDeferred(pool.start())
    for _ in range(60):
        lines.advance(1)
    failures: list[Any] = []
    started.addErrback(failures.append)
    assert failures[0].check(LinesDidNotStart)


def test_a_burst_beyond_the_spare_lines_gets_a_line_each_at_once(make: Make) -> None:
    house = make(count=8)
    taken = [house.pool.take() for _ in range(5)]
    assert sum(slot is not None for slot in taken) == 2
    assert house.pool.is_growing
    house.lines.pump([0.02, 0.02])
    later = [house.pool.take() for _ in range(3)]
    assert all(slot is not None for slot in later)
