"""Mutated INVITEs at the sockets of a running service: each has a final answer, good calls go on, no line dies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from demo.service import Service
from demo.switchboard import Switchboard
from tests.fuzz.over_sockets import run

pytestmark = pytest.mark.sip


def test_every_mutated_invite_has_an_answer_and_good_calls_go_on(
    start_service: Callable[..., Service], switchboard: Switchboard
) -> None:
    trunk = {"name": "switchboard", "host": f"127.0.0.1:{switchboard.port}", "allow": ["127.0.0.1/32"]}
    service = start_service(sip={"trunks": [trunk]}, lines={"count": 8, "spare": 4})
    outcome = run(service, 300, seed=9)
    assert outcome.silent == []
    assert (outcome.good_calls, outcome.good_calls_lost) == (6, 0)
    assert outcome.lines_died == 0
    assert outcome.invites > 150
