"""SIGTERM and `hotline drain` on a running service: the caller who talks goes on talking, nobody else comes in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from demo.service import Service
from demo.switchboard import Switchboard
from tests.sip.house import until
from tests.sip.test_door_filters import Wire, tag_of

pytestmark = pytest.mark.sip


@pytest.mark.parametrize("how", ["signal", "command"])
def test_a_node_told_to_end_waits_for_the_call_that_is_up(
    start_service: Callable[..., Service], switchboard: Switchboard, how: str
) -> None:
    trunk = {"name": "switchboard", "host": f"127.0.0.1:{switchboard.port}", "allow": ["127.0.0.1/32"]}
    service = start_service(sip={"trunks": [trunk]}, lines={"count": 3, "spare": 1}, drain_s=60)
    caller, late = Wire(service.sip_port), Wire(service.sip_port)
    ok = caller.answered()
    if how == "signal":
        os.kill(service.pid, signal.SIGTERM)
    else:
        assert service.ask("drain") == {"is_draining": True, "calls": 1, "left_s": 60}
    until("draining", lambda: service.ask("status")["drain"]["is_draining"])
    late.send(late.request("INVITE", body=late.offer()))
    assert "\r\nRetry-After: " in late.hear("SIP/2.0 503 ")
    late.send(late.request("OPTIONS", cseq=2))
    late.hear("SIP/2.0 503 ")
    time.sleep(1.5)
    assert service.is_running
    caller.send(caller.request("BYE", to_tag=tag_of(ok), cseq=2))
    caller.hear("SIP/2.0 200 ")
    until("its end", lambda: not service.is_running, 20)
    caller.close()
    late.close()


def test_a_second_signal_ends_at_once_and_the_caller_hears_bye(
    start_service: Callable[..., Service], switchboard: Switchboard
) -> None:
    trunk = {"name": "switchboard", "host": f"127.0.0.1:{switchboard.port}", "allow": ["127.0.0.1/32"]}
    service = start_service(sip={"trunks": [trunk]}, lines={"count": 3, "spare": 1}, drain_s=60)
    caller = Wire(service.sip_port)
    caller.answered()
    os.kill(service.pid, signal.SIGTERM)
    until("draining", lambda: service.ask("status")["drain"]["is_draining"])
    os.kill(service.pid, signal.SIGTERM)
    caller.hear("BYE ", timeout_s=10)
    until("its end", lambda: not service.is_running, 20)
    caller.close()
