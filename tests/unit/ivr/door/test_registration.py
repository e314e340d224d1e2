"""Registration at a trunk: credentials, refresh, retries, and the end of it."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from ivr.door.registration import FIRST_RETRY_S, UNREGISTER_S
from ivr.sip.digest import Challenge, best_challenge, credentials
from ivr.sip.message import SipMessage
from tests.fakes.door import STRANGER, TRUNK, World, message, reply

MD5 = 'WWW-Authenticate: Digest realm="carrier", nonce="n1", qop="auth,auth-int", algorithm=MD5, opaque="o"'
SHA = 'WWW-Authenticate: Digest realm="carrier", nonce="n2", qop="auth", algorithm=SHA-256'


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("TRUNK_PASSWORD", "zanzibar")
    return registering()


def registering(**trunk: Any) -> World:
    own = {"register": True, "username": "12345", "password_env": "TRUNK_PASSWORD", **trunk}
    return World(trunk=own)


def answered(world: World, status: str, extra: str = "") -> SipMessage:
    """Answer the one REGISTER on its way, and return it."""
    data = world.to_network()
    world.from_network(reply(data, status, tag="rt", extra=extra))
    return message(data)


def state(world: World) -> str:
    return str(world.door.status()["registrations"]["carrier"]["state"])


def test_the_door_registers_its_own_address(world: World) -> None:
    sent = answered(world, "200 OK", "Contact: <sip:12345@192.0.2.10:5060>;expires=600")
    assert (sent.method, sent.uri) == ("REGISTER", b"sip:198.51.100.1")
    assert sent.first(b"contact") == b"<sip:12345@192.0.2.10:5060>"
    assert sent.first(b"expires") == b"600"
    assert state(world) == "registered"
    assert world.door.status()["registrations"]["carrier"]["left_s"] == 600


def test_it_is_refreshed_at_half_the_time_granted(world: World) -> None:
    answered(world, "200 OK", "Contact: <sip:12345@192.0.2.10:5060>;expires=120")
    world.reactor.advance(59)
    assert world.sent_out() == []
    world.reactor.advance(1)
    assert message(world.to_network()).cseq == 2


@pytest.mark.parametrize(
    ("challenges", "algorithm"), [(MD5, "MD5"), (MD5 + "\n" + SHA, "SHA-256"), (SHA + "\n" + MD5, "SHA-256")]
)
def test_the_strongest_challenge_is_answered(world: World, challenges: str, algorithm: str) -> None:
    assert answered(world, "401 Unauthorized", challenges).first(b"authorization") is None
    sent = answered(world, "200 OK", "Expires: 600")
    given = sent.first(b"authorization") or b""
    assert f"algorithm={algorithm}".encode() in given
    assert b"nc=00000001" in given
    assert sent.cseq == 2
    assert state(world) == "registered"


def test_the_answer_to_a_challenge_is_the_one_of_rfc_8760(world: World) -> None:
    answered(world, "401 Unauthorized", SHA)
    given = (message(world.to_network()).first(b"authorization") or b"").decode()
    cnonce = re.search(r'cnonce="([^"]+)"', given)
    assert cnonce is not None

    def digest(text: str) -> str:
        return sha256(text.encode()).hexdigest()

    right = digest(
        f"{digest('12345:carrier:zanzibar')}:n2:00000001:{cnonce[1]}:auth:{digest('REGISTER:sip:198.51.100.1')}"
    )
    assert f'response="{right}"' in given


def test_digest_of_rfc_2617() -> None:
    # the example of section 3.5
    challenge = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "MD5", "5ccc", True, False)
    value = credentials(
        challenge,
        username="Mufasa",
        password="Circle Of Life",
        method="GET",
        uri="/dir/index.html",
        count=1,
        cnonce="0a4f113b",
    )
    assert b'response="6629fae49393a05397450978507c4ef1"' in value


def test_an_old_trunk_without_qop_is_answered_too() -> None:
    challenge = best_challenge([b'Digest realm="r", nonce="n"'])
    assert challenge is not None
    assert not challenge.has_qop_auth
    assert b"cnonce" not in credentials(challenge, username="a", password="b", method="REGISTER", uri="sip:c", count=1)


@pytest.mark.parametrize(
    "value",
    [
        b"Basic realm=x",
        b'Digest realm="r"',
        b'Digest nonce="n", realm="r", algorithm=SHA-512',
        b'Digest nonce="n", realm="r", qop="auth-int"',
        b"Digest",
        b"",
    ],
)
def test_what_cannot_be_answered_is_no_challenge(value: bytes) -> None:
    assert best_challenge([value]) is None


def test_a_wrong_password_is_not_tried_again_at_once(world: World) -> None:
    answered(world, "401 Unauthorized", MD5)
    answered(world, "401 Unauthorized", MD5.replace("n1", "n9"))
    assert world.sent_out() == []
    assert state(world) == "refused"
    world.reactor.advance(FIRST_RETRY_S)
    assert message(world.to_network()).method == "REGISTER"


def test_a_stale_nonce_is_replaced_at_once(world: World) -> None:
    answered(world, "401 Unauthorized", MD5)
    answered(world, "200 OK", "Expires: 600")
    world.reactor.advance(300)
    again = answered(world, "401 Unauthorized", MD5.replace("n1", "n9") + ", stale=true")
    assert b"nc=00000002" in (again.first(b"authorization") or b"")
    sent = answered(world, "200 OK", "Expires: 600")
    assert b'nonce="n9"' in (sent.first(b"authorization") or b"")
    assert state(world) == "registered"


def test_a_nonce_that_is_worn_out_without_saying_so_is_replaced_too(world: World) -> None:
    answered(world, "401 Unauthorized", MD5)
    answered(world, "200 OK", "Expires: 600")
    world.reactor.advance(300)
    answered(world, "401 Unauthorized", MD5.replace("n1", "n9"))
    answered(world, "200 OK", "Expires: 600")
    assert state(world) == "registered"


def test_too_short_a_time_is_asked_longer(world: World) -> None:
    answered(world, "423 Interval Too Brief", "Min-Expires: 3600")
    assert answered(world, "200 OK").first(b"expires") == b"3600"
    assert state(world) == "registered"


def test_a_trunk_that_does_not_answer_is_tried_again_ever_more_slowly(world: World) -> None:
    waits = []
    for _ in range(3):
        world.sent_out()
        world.reactor.pump([0.5] * 80)
        assert state(world) == "unreachable"
        world.sent_out()
        since = world.reactor.seconds()
        while not world.sent_out():
            world.reactor.advance(1)
        waits.append(world.reactor.seconds() - since)
    assert waits[0] < waits[1] < waits[2]


def test_an_answer_from_somebody_else_is_not_believed(world: World) -> None:
    data = world.to_network()
    world.from_network(reply(data, "200 OK", tag="rt"), STRANGER)
    world.from_network(reply(data, "200 OK", tag="rt"), ("198.51.100.99", 5060))
    assert state(world) == "trying"


def test_the_registration_is_taken_back_at_the_end(world: World) -> None:
    answered(world, "200 OK", "Expires: 600")
    done = ensureDeferred(world.door.stop())
    sent = answered(world, "200 OK")
    assert sent.first(b"expires") == b"0"
    assert done.called
    assert world.reactor.getDelayedCalls() == []


def test_the_end_does_not_wait_for_a_silent_trunk(world: World) -> None:
    answered(world, "200 OK", "Expires: 600")
    done: Deferred[None] = ensureDeferred(world.door.stop())
    assert not done.called
    world.reactor.advance(UNREGISTER_S)
    assert done.called


def test_the_end_takes_up_a_challenge_once_more(world: World) -> None:
    answered(world, "200 OK", "Expires: 600")
    done = ensureDeferred(world.door.stop())
    answered(world, "401 Unauthorized", MD5)
    assert not done.called
    assert answered(world, "200 OK").first(b"expires") == b"0"
    assert done.called


def test_the_password_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("zanzibar\n")
    world = registering(password_env="", password_file=str(tmp_path / "secret"))
    answered(world, "401 Unauthorized", MD5)
    assert b"Digest" in (message(world.to_network()).first(b"authorization") or b"")


def test_a_missing_password_refuses_and_nothing_else_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUNK_PASSWORD", raising=False)
    world = registering()
    answered(world, "401 Unauthorized", MD5)
    assert world.sent_out() == []
    assert state(world) == "refused"
    assert world.count("failed") == 0


def test_a_trunk_that_wants_tcp_is_registered_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNK_PASSWORD", "zanzibar")
    world = registering(transport="tcp")
    assert world.reactor.tcpClients[0][:2] == TRUNK
    assert world.sent_out() == []
