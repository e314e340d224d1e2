"""A node that was killed says BYE when it is back: what the book of dialogs keeps, and what it survives."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from twisted.internet.defer import ensureDeferred

from tests.fakes.door import DOOR, SDP, World, in_dialog, invite, message, reply

PHONE_ROUTES = "Contact: <sip:me@198.51.100.9:5090>\nRecord-Route: <sip:198.51.100.2;lr>"


def door_of(path: Path) -> World:
    """Return a door whose book is at `path`; it is never stopped."""
    return World(book=path)


def bring_up(world: World, call_id: str, *, tag: str = "ct", branch: str = "z9hG4bKa1", extra: str = "") -> None:
    """Bring one more call in and up, on whatever line it gets."""
    world.from_network(invite(call_id, tag=tag, branch=branch, extra=extra or "Contact: <sip:1@198.51.100.1>"))
    ((seen, (_, port)),) = world.sent_in()
    world.from_line(reply(seen, "200 OK", tag="lt", body=SDP), port)
    world.from_network(in_dialog("ACK", call_id, tags=(tag, "lt")))
    world.sent_out()
    world.sent_in()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dialogs"


def test_after_a_kill_whoever_was_up_hears_bye_and_nobody_else(path: Path) -> None:
    before = door_of(path)
    bring_up(before, "up", extra=PHONE_ROUTES)
    bring_up(before, "over", tag="ct2", branch="z9hG4bKo")
    before.from_network(in_dialog("BYE", "over", tags=("ct2", "lt"), cseq=2))
    before.from_network(invite("ringing", tag="ct3", branch="z9hG4bKr"))
    sent = before.placed_call("sip:a@203.0.113.40:5070")
    before.from_network(reply(sent, "200 OK", tag="pt", extra="Contact: <sip:a@203.0.113.41:5071>", body=SDP),
                        ("203.0.113.40", 5070))  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    after = door_of(path)
    byes = {message(data).call_id: (message(data), address) for data, address in after.sent_out()}
    assert byes.keys() == {b"up", b"o1"}
    up, where = byes[b"up"]
    assert (up.method, up.from_tag, up.to_tag, where) == ("BYE", b"lt", b"ct", ("198.51.100.2", 5060))
    assert up.values(b"route") == [b"<sip:198.51.100.2;lr>"]
    assert up.cseq > 1
    seat, where = byes[b"o1"]
    assert (seat.from_tag, seat.to_tag, where) == (b"lt", b"pt", ("203.0.113.41", 5071))
    assert seat.cseq > 100
    assert after.count("left_behind_ended") == 2


def test_a_bye_is_repeated_until_it_is_answered_and_said_once_in_a_life(path: Path) -> None:
    door_of(path).answered_call()
    after = door_of(path)
    bye = after.to_network()
    after.reactor.advance(0.5)
    assert after.to_network() == bye
    after.from_network(reply(bye, "200 OK"))
    after.reactor.advance(5.0)
    assert after.sent_out() == []
    assert door_of(path).sent_out() == []


def test_a_door_closed_in_good_order_leaves_no_book(path: Path) -> None:
    world = door_of(path)
    world.answered_call()
    assert "13800001111" in path.read_text()
    ensureDeferred(world.door.stop())
    assert not path.exists()


@pytest.mark.parametrize(
    "junk", [b"", b"\xff\xfe\x00", b'{"format": 99}\n{"key":["a","b"],"dialog":{}}\n', b"[]\n[]\n"]
)
def test_a_book_that_cannot_be_read_keeps_nobody_from_being_served(path: Path, junk: bytes) -> None:
    path.write_bytes(junk)
    world = door_of(path)
    assert world.sent_out() == []
    world.answered_call()


def test_a_last_line_cut_in_half_loses_only_itself(path: Path) -> None:
    before = door_of(path)
    bring_up(before, "one")
    bring_up(before, "two", tag="ct2", branch="z9hG4bK2")
    path.write_bytes(path.read_bytes()[:-20])
    assert {message(data).call_id for data, _ in door_of(path).sent_out()} == {b"one"}


def test_bytes_that_are_no_utf8_come_back_as_they_were(path: Path) -> None:
    before = door_of(path)
    odd = invite("gbk").replace(b"From: <", b'From: "\xca\xd0\xc3\xf1" <')
    before.from_network(odd)
    before.from_line(reply(before.to_line(), "200 OK", tag="lt", body=SDP))
    bye = door_of(path).to_network()
    assert b'To: "\xca\xd0\xc3\xf1" <sip:13800001111@carrier>;tag=ct' in bye
    assert DOOR.encode() in bye


def test_a_book_of_many_calls_is_made_anew_and_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.door.dialog_book._LEAST_LINES", 20)
    world = door_of(path)
    bring_up(world, "stays", tag="stays", branch="z9hG4bKstays")
    for number in range(60):
        world.reactor.advance(1.0)
        world.sent_out()
        bring_up(world, f"c{number}", tag=f"t{number}", branch=f"z9hG4bK{number}")
        bye = in_dialog("BYE", f"c{number}", tags=(f"t{number}", "lt"), cseq=2, branch=f"z9hG4bKb{number}")
        world.from_network(bye)
        world.sent_in()
        world.lines.slots.clear()
    assert len(path.read_text().splitlines()) < 30
    assert b"stays" in {message(data).call_id for data, _ in door_of(path).sent_out()}
