"""The check for what tests leave behind does find it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tests.sip.processes import dying_with_us, left_after, of_this_run, own_ports

pytestmark = pytest.mark.sip


def known() -> set[int]:
    return {process.pid for process in of_this_run()}


def test_an_orphan_is_found_named_and_ended() -> None:
    before = known()
    # the child ends at once and leaves its own child to init, as a daemon would
    orphaning = (
        "from subprocess import DEVNULL, Popen\n"
        "print(Popen(['sleep', '60'], stdout=DEVNULL, stderr=DEVNULL).pid)\n"
    )
    pid = int(subprocess.run([sys.executable, "-c", orphaning], capture_output=True, check=True).stdout)
    left = left_after(0.0, before, own_ports())
    assert len(left) == 1
    assert left[0].startswith(f"{pid} sleep 60")
    assert left_after(5.0, before, own_ports()) == []


def test_an_open_port_of_this_process_is_found() -> None:
    before, ports = known(), own_ports()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forgotten:
        forgotten.bind(("127.0.0.1", 0))
        port = forgotten.getsockname()[1]
        assert left_after(0.0, before, ports) == [f"this process: SOCK_DGRAM port {port}"]
    assert left_after(0.0, before, ports) == []


def test_a_process_that_is_just_ending_is_waited_for() -> None:
    before = known()
    with subprocess.Popen(["sleep", "0.2"]):
        assert left_after(5.0, before, own_ports()) == []


def test_a_guarded_process_dies_with_the_one_that_started_it() -> None:
    code = (
        "import subprocess, time\n"
        "from tests.sip.processes import dying_with_us\n"
        "print(subprocess.Popen(dying_with_us(['sleep', '60'])).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(dying_with_us([sys.executable, "-c", code]), stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        guarded = psutil.Process(int(starter.stdout.readline()))
        until = time.monotonic() + 5
        while guarded.name() != "sleep" and time.monotonic() < until:
            time.sleep(0.01)
        starter.kill()
    gone, alive = psutil.wait_procs([guarded], timeout=5)
    assert gone
    assert not alive
    assert os.getpid() != guarded.pid
