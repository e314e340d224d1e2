"""A short rehearsal of a previewed site in a child process: the same as by hand, and gone with who asked for it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import psutil
import pytest
from twisted.internet import reactor

import config
from callback_scheduler.rehearsal.child import Wanted
from node.operations.site.trial_rehearsal import RehearsalFailed, trial_rehearsal
from routing.site import load_site
from tests.redis.nodes import InReactor, is_alive, wait_until

SITE = load_site(Path(config.__file__).parent / "hotline.yaml")
DAYS = {"since": date(2026, 3, 3), "until": date(2026, 3, 5)}


def test_a_child_plays_the_days_of_a_preview_and_tells_what_would_breach(in_reactor: InReactor) -> None:
    result = in_reactor(trial_rehearsal, SITE, reactor, **DAYS, orders=15, seed=1, most_s=120.0)
    assert result["calls"] == 15
    assert sum(result["verdicts"].values()) == result["orders"]
    assert result["breaches_in_all"] == len(result["breaches"])
    assert result["calendar"] == SITE.calendar.version


def test_a_rehearsal_that_takes_too_long_is_ended(in_reactor: InReactor) -> None:
    with pytest.raises(RehearsalFailed):
        in_reactor(trial_rehearsal, SITE, reactor, **DAYS, orders=15, seed=1, most_s=0.0)


def rehearsing(days: int, orders: int) -> list[str]:
    """Return the command that rehearses so many orders on days from 2026-02-14."""
    last = f"2026-02-{13 + days}"
    return [sys.executable, "-m", "hotline", "rehearse", "--from", "2026-02-14", "--to", last, "--orders", str(orders)]


def redis_of(rehearsal: subprocess.Popen[str]) -> psutil.Process:
    """Wait for the Redis of a rehearsal, and until it works in the folder that is thrown away."""
    parent = psutil.Process(rehearsal.pid)
    wait_until(lambda: [child.name() for child in parent.children()] == ["redis-server"], 60.0)
    (redis,) = parent.children()
    wait_until(lambda: Path(redis.cwd()).parent.name.startswith("hotline-rehearsal-"), 60.0)
    return redis


def test_a_rehearsal_that_is_interrupted_ends_with_its_redis_and_leaves_no_folder() -> None:
    with subprocess.Popen(rehearsing(11, 500), stderr=subprocess.PIPE, text=True) as rehearsal:
        try:
            redis = redis_of(rehearsal)
            folder = Path(redis.cwd()).parent
            wait_until(lambda: any(file.stat().st_size > 9999 for file in (folder / "journal").glob("*.journal")), 60.0)
            rehearsal.send_signal(signal.SIGTERM)
            assert rehearsal.wait(30.0) != 0
        finally:
            rehearsal.kill()
        assert rehearsal.stderr is not None
        assert "it was interrupted" in rehearsal.stderr.read()
    wait_until(lambda: not is_alive(redis.pid))
    assert not folder.exists()


def test_what_a_killed_rehearsal_left_is_swept_by_the_next_one_and_what_a_running_one_needs_is_not() -> None:
    with subprocess.Popen(rehearsing(11, 500), stderr=subprocess.DEVNULL, text=True) as rehearsal:
        try:
            folder = Path(redis_of(rehearsal).cwd()).parent
            os.utime(folder, (0, 0))  # as if it had begun long ago
            subprocess.run(rehearsing(1, 1), check=True, capture_output=True)
            assert folder.exists()
            assert rehearsal.poll() is None
        finally:
            rehearsal.kill()
    os.utime(folder, (0, 0))
    subprocess.run(rehearsing(1, 1), check=True, capture_output=True)
    assert not folder.exists()


def test_the_child_of_a_killed_node_ends_with_its_redis() -> None:
    wanted = Wanted(SITE, date(2026, 2, 14), date(2026, 2, 24), orders=500, seed=1, parent=0)
    node = (
        "import os, pickle, subprocess, sys, time; from dataclasses import replace\n"
        "wanted = replace(pickle.load(sys.stdin.buffer), parent=os.getpid())\n"
        "command = [sys.executable, '-c', 'from callback_scheduler.rehearsal.child import main; main()''']\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE); child.stdin.write(pickle.dumps(wanted))\n"
        "child.stdin.close(); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", node], stdin=subprocess.PIPE) as asks:
        assert asks.stdin is not None
        asks.stdin.write(pickle.dumps(wanted))
        asks.stdin.close()
        names = {"redis-server"}
        wait_until(lambda: names <= {one.name() for one in psutil.Process(asks.pid).children(recursive=True)}, 60.0)
        left = psutil.Process(asks.pid).children(recursive=True)
        asks.kill()
    wait_until(lambda: not any(is_alive(one.pid) for one in left), 30.0)


NODE_THAT_LEAVES = (
    "import os, pickle, subprocess, sys; from dataclasses import replace\n"
    "wanted = replace(pickle.load(sys.stdin.buffer), parent=os.getpid())\n"
    "command = [sys.executable, '-c', '''{slowly}from callback_scheduler.rehearsal.child import main; main()''']\n"
    "child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
    "child.stdin.write(pickle.dumps(wanted)); child.stdin.close()\n"
    "print(child.pid, flush=True); sys.stdin.buffer.read(1)"
)


def asked_for(slowly: str = "") -> subprocess.Popen[bytes]:
    """Start a node that asks for a rehearsal with its own ends of the child's pipes, until it is killed."""
    node = NODE_THAT_LEAVES.format(slowly=slowly)
    asks = subprocess.Popen([sys.executable, "-c", node], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert asks.stdin is not None
    asks.stdin.write(pickle.dumps(Wanted(SITE, date(2026, 2, 14), date(2026, 2, 24), orders=500, seed=1, parent=0)))
    asks.stdin.flush()
    return asks


def test_a_child_whose_node_goes_while_the_ledger_is_being_opened_ends_though_nobody_hears_it(tmp_path: Path) -> None:
    opening = tmp_path / "opening"
    opens_slowly = (
        "import pathlib, time; from callback_scheduler.ledger.ledger import Ledger; opens = Ledger._open; "
        f'Ledger._open = lambda self: [pathlib.Path("{opening}").touch(), time.sleep(2.0), opens(self)][2]; '
    )
    with asked_for(opens_slowly) as asks:
        assert asks.stdout is not None
        child = int(asks.stdout.readline())
        wait_until(opening.exists, 60.0)
        asks.kill()
    wait_until(lambda: not is_alive(child), 9.0)  # before its last grace is over


def test_a_child_that_is_stuck_does_not_outlive_its_node_by_more_than_its_grace() -> None:
    stuck = (
        "import signal; import callback_scheduler.rehearsal.child as child; child._LAST_GRACE_S = 0.5; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); child.play_quietly = lambda *_: signal.pause(); "
    )
    with asked_for(stuck) as asks:
        assert asks.stdout is not None
        child = psutil.Process(int(asks.stdout.readline()))
        wait_until(lambda: child.num_threads() > 1, 60.0)
        asks.kill()
    wait_until(lambda: not is_alive(child.pid), 20.0)
