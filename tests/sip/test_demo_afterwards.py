"""What a newcomer sees with --keep: a console that is told of, and a call that goes all the way, again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.afterwards import one_call, seat_people
from demo.exchange import PhoneExchange
from demo.scenes import MORNING, Stage
from demo.show import IMPATIENT, invitation
from demo.switchboard import Switchboard
from tests.sip.services import start_service

pytestmark = pytest.mark.sip


def test_a_call_is_put_through_while_somebody_watches_and_the_console_is_told_of(tmp_path: Path) -> None:
    with (
        Switchboard() as switchboard, PhoneExchange() as exchange,
        start_service(tmp_path, switchboard.port, MORNING, IMPATIENT) as service,
    ):  # fmt: skip
        stage = Stage(exchange, switchboard, service)
        seat_people(stage)
        one_call(stage, "13700000001", is_put_through=True)
        for phone in (stage.caller, stage.specialist):
            phone.hangup()
        record = stage.last_call()
        assert (record["caller_number"], record["outcome"], record["transfer"]) == ("13700000001", "served", "accepted")
        told = invitation(service)
    assert service.console["token"] in told
    assert f"{service.console['url']}/wall" in told
