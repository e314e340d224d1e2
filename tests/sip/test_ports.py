"""Two test processes side by side use other ports, for calls and for all else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.sip.ports import free_port, rtp_ports
from tests.sip.processes import dying_with_us

_OTHER = "import json; from tests.sip.ports import *; print(json.dumps([rtp_ports(), [free_port() for _ in range(9)]]))"


def test_another_test_process_gives_out_other_ports() -> None:
    ours, own_rtp = [free_port() for _ in range(9)], rtp_ports()
    printed = subprocess.run(
        dying_with_us([sys.executable, "-c", _OTHER]), cwd=Path(__file__).parents[2], capture_output=True, check=True
    )
    other_rtp, others = json.loads(printed.stdout)
    block = own_rtp["rtp_port_range"]
    assert abs(own_rtp["rtp_port"] - other_rtp["rtp_port"]) >= block
    assert {port // block for port in ours}.isdisjoint(port // block for port in others)


def test_a_port_that_is_taken_is_passed_over() -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        assert free_port() == port + 2
