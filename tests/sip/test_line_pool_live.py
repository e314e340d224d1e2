"""The pool with real processes: calls between its lines, kill -9 of a line and of the warm parent, a clean end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.sip.processes import dying_with_us

pytestmark = pytest.mark.sip

_SCRIPT = """
import json, os, signal, sys, time
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater, react
from config.settings import LineSettings
from ivr.line import messages as m
from ivr.pool.pool import LineDied, LinePool

async def until(reactor, holds):
    ends_at = time.monotonic() + 8
    while not holds():
        assert time.monotonic() < ends_at, "too late"
        await deferLater(reactor, 0.005)

async def scene(reactor):
    died = []
    settings = LineSettings(count=4, spare=2, reserved_for_callbacks_percent=0)
    pool = LinePool(settings, lambda: m.LineConfig(line=0, socket_path=sys.argv[1]), reactor, died.append)
    await pool.start()
    seen = {"socket": pool._socket_path, "modes": oct(os.stat(pool._socket_path).st_mode & 0o777)}
    caller, called = pool.take(), pool.take()
    events = {"caller": [], "called": []}
    caller.listener, called.listener = events["caller"].append, events["called"].append
    expected = set()
    def answer(event):
        events["called"].append(event)
        if isinstance(event, m.LegIncoming):
            called.send(m.Answer(leg=event.leg))
    called.listener = answer
    called.claims = lambda event, claims=called.claims: (
        isinstance(event, m.LegIncoming) and called.expect(event.sip_call_id)
    ) or claims(event)
    leg = caller.new_leg()
    caller.send(m.Ring(leg=leg, uri=f"sip:1@127.0.0.1:{called.sip_port}"))
    await until(reactor, lambda: any(isinstance(e, m.LegAnswered) for e in events["caller"]))
    await until(reactor, lambda: any(isinstance(e, m.Heartbeat) and e.rx_packets.get(leg) for e in events["caller"]))
    os.kill(called.pid, signal.SIGKILL)
    await until(reactor, lambda: any(isinstance(e, LineDied) for e in events["called"]))
    seen["died"] = died == [called.sip_port]
    caller.release()
    await until(reactor, lambda: pool.status()["in_use"] == 0 and pool.status()["free"] >= 2)
    seen["after_line"] = pool.status()
    parent = int(open(f"/proc/{caller.pid}/stat").read().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGKILL)
    await until(reactor, lambda: pool.take() is None)
    await until(reactor, lambda: pool.status()["free"] >= 2)
    seen["after_parent"] = pool.status()
    began = time.monotonic()
    await pool.stop()
    seen["stopped_in_s"] = time.monotonic() - began
    seen["socket_left"] = os.path.exists(seen["socket"])
    print(json.dumps(seen), file=sys.stderr)

react(lambda reactor: ensureDeferred(scene(reactor)))
"""


def scene(socket_path: str) -> dict[str, Any]:
    done = subprocess.run(
        dying_with_us([sys.executable, "-c", _SCRIPT, socket_path]),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return last


@pytest.mark.parametrize("where", ["temporary", "given", "too long"])
def test_killed_lines_and_a_killed_parent_are_replaced_and_nothing_stays_behind(where: str, tmp_path: Path) -> None:
    path = {"temporary": "", "given": str(tmp_path / "s"), "too long": str(tmp_path / ("x" * 100) / "s")}[where]
    before = set(Path(tempfile.gettempdir()).glob("lines-*"))
    Path(tmp_path / "s").write_text("left over from a node that was killed")
    seen = scene(path)
    assert seen["died"]
    assert seen["modes"] == "0o600"
    assert (seen["socket"] == path) is (where == "given")
    assert seen["after_line"]["died"] == 1
    assert seen["after_parent"]["free"] >= 2
    assert seen["stopped_in_s"] < 5
    assert not seen["socket_left"]
    assert set(Path(tempfile.gettempdir()).glob("lines-*")) <= before


def test_a_killed_pool_leaves_nothing_outside_its_data_folder_however_deep_that_is(tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob("lines-*"))
    path = tmp_path / ("x" * 100) / "s"
    script = _SCRIPT.replace("    caller, called =", "    os.kill(os.getpid(), signal.SIGKILL)\n    caller, called =")
    killed = subprocess.run(
        dying_with_us([sys.executable, "-c", script, str(path)]),
        cwd=Path(__file__).resolve().parents[2], capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert path.is_socket()
    assert set(Path(tempfile.gettempdir()).glob("lines-*")) <= before
