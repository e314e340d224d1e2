"""The check for what tests leave behind does find it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.sip.processes import dying_with_us, left_after, what_is_there

pytestmark = pytest.mark.sip


def test_an_orphan_is_found_named_and_ended() -> None:
    before = what_is_there()
    # the child ends at once and leaves its own child to init, as a daemon would
    orphaning = (
        "from subprocess import DEVNULL, Popen\n"
        "print(Popen(['sleep', '60'], stdout=DEVNULL, stderr=DEVNULL).pid)\n"
    )
    pid = int(subprocess.run([sys.executable, "-c", orphaning], capture_output=True, check=True).stdout)
    left = left_after(0.0, before)
    assert len(left) == 1
    assert left[0].startswith(f"{pid} sleep 60")
    assert left_after(5.0, before) == []


def test_an_open_port_of_this_process_is_found() -> None:
    before = what_is_there()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forgotten:
        forgotten.bind(("127.0.0.1", 0))
        port = forgotten.getsockname()[1]
        assert left_after(0.0, before) == [f"this process: SOCK_DGRAM port {port}"]
    assert left_after(0.0, before) == []


def test_a_file_in_the_temporary_folder_is_found_by_its_name() -> None:
    before = what_is_there()
    with tempfile.TemporaryDirectory(prefix="forgotten-") as folder:
        assert left_after(0.0, before) == [f"in the temporary folder: {Path(folder).name}"]
    assert left_after(0.0, before) == []


def test_a_process_that_is_just_ending_is_waited_for() -> None:
    before = what_is_there()
    with subprocess.Popen(["sleep", "0.2"]):
        assert left_after(5.0, before) == []


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
