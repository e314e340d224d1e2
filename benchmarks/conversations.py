"""One batch of conversations at once: begun, looked at while all talk, ended, and each one accounted for."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import Watch, Window, private_mb
from benchmarks.site_files import LoadSite
from demo.service import Service

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 40.0  # from the last call begun until all talk
_SETTLES_S = 3.0
_ENOUGH = 0.95  # of the RTP that 20 ms frames make, in each direction, and of the window as two-way talk

# dies with us, whatever happens (PR_SET_PDEATHSIG, SIGKILL)
_LAUNCH = "import ctypes; ctypes.CDLL(None).prctl(1, 9); from benchmarks.load import main; main()"


class LoadBroken(RuntimeError):
    """The load generator does not answer."""


class Generator:
    """The load generator's process, as the one who gives the orders sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pid = self._process.pid
        self.trunk_port = int(self._answer()["trunk_port"])

    def order(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give an order and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LoadBroken("the load generator has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass
class Batch:
    """What a batch of conversations showed. Latencies in seconds; `failures` has a reason for each that failed."""

    legs_each: int
    wanted: int
    answer_s: list[float]
    key_info_s: list[float]
    key_rfc4733_s: list[float]
    ramp: Window  # while the calls began
    window: Window  # while all talked
    line_mb: list[float]
    failures: list[str] = field(default_factory=list)
    late_s: float = 0.0
    least_heard: float = 0.0
    stages_s: dict[str, list[float]] = field(default_factory=dict)  # parts of the answer, by the service's own clock

    def cpu_percent(self, *roles: str) -> float:
        """Return CPU of one conversation in percent of a core: of these roles' processes, or of all the service's."""
        return 100 * self.window.cpu_s(*roles) / self.window.span_s / self.wanted


def hold(service: Service, generator: Generator, site: LoadSite, *, conversations: int, with_seat: bool,
         per_s: float, window_s: float, in_window: Callable[[list[int]], None] | None = None) -> Batch:
    """Let conversations begin, `per_s` a second, talk all at once for `window_s`, and end; return what was seen.

    `in_window` is called, with the lines' process ids, after the measured window while all still talk.
    """
    legs_each = 3 if with_seat else 2
    callers = site.callers(conversations, with_seat)
    ramping = Watch(service.pid, generator.pid)
    generator.order("begin", service_port=service.sip_port, callers=callers, seats=site.seats(), per_s=per_s)
    _wait_until_all_talk(generator, conversations, conversations / per_s + _PATIENCE_S)
    ramp = ramping.stop()
    time.sleep(_SETTLES_S)
    generator.order("mark")
    watch = Watch(service.pid, generator.pid)
    time.sleep(window_s)
    window = watch.stop()
    seen = generator.order("measure")
    memory = [mb for mb in (private_mb(pid) for pid in window.busy_lines) if mb is not None]
    if in_window is not None:
        in_window(list(window.busy_lines))
    ended = generator.order("end")
    service.wait_idle(30.0)
    records = service.ask("calls", limit=conversations)
    failures = _failures(
        records, seen, ended, conversations=conversations, legs_each=legs_each, window_s=window_s
    )
    return Batch(
        legs_each, conversations, ended["answer_s"], ended["key_info_s"], ended["key_rfc4733_s"], ramp,
        window, memory, failures, seen["latest_s"], min(seen["heard"], default=0.0), _stages(records),
    )  # fmt: skip


def _wait_until_all_talk(generator: Generator, conversations: int, within_s: float) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        progress = generator.order("progress")
        if progress["accepted"] + len(progress["troubles"]) >= conversations:
            return
        time.sleep(0.2)


def _stages(records: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return how long each call took from the door to its line, and from there, by way of the journal, to the ACK."""
    to_line, to_ack = [], []
    for record in records:
        caller = next((leg for leg in record["legs"] if leg["role"] == "caller"), None)
        if caller is not None and caller["answered_at"]:
            offered, at_line, answered = (
                datetime.fromisoformat(at).timestamp()
                for at in (record["offered_at"], caller["started_at"], caller["answered_at"])
            )
            to_line.append(at_line - offered)
            to_ack.append(answered - at_line)
    return {"door → line": to_line, "line → journal → 200 → ACK": to_ack}


def _failures(records: list[dict[str, Any]], seen: dict[str, Any], ended: dict[str, Any], *, conversations: int,
              legs_each: int, window_s: float) -> list[str]:
    """Return a reason for every conversation that failed: seen from both sides, the worse count is taken."""
    inside = [reason for reason in (_fault_of(record, legs_each, window_s) for record in records) if reason]
    inside += ["no call record"] * (conversations - len(records))
    wanted = conversations * legs_each
    healthy = sum(min(legs) >= _ENOUGH for legs in zip(seen["heard"], seen["said"], strict=True))
    missing = -(-(wanted - healthy) // legs_each)
    outside = ["legs without RTP both ways, seen from outside"] * missing
    outside += [f"{trouble} (seen from outside)" for trouble in ended["troubles"]]
    outside += [f"not released after the hang-up ({state})" for state in ended["not_released"]]
    return inside if len(inside) >= len(outside) else outside


def _fault_of(record: dict[str, Any], legs_each: int, window_s: float) -> str:
    """Return what was wrong with a conversation by the service's own record; "" if nothing."""
    answered = [leg for leg in record["legs"] if leg["answered_at"]]
    if len(answered) != legs_each:
        return f"{len(answered)} of {legs_each} legs came up ({record['outcome']} {record['cause']})"
    silent = [leg["role"] for leg in answered if min(leg["rx_packets"], leg["tx_packets"]) < window_s * 50 * _ENOUGH]
    if silent:
        return f"no RTP both ways: {', '.join(silent)}"
    partners = [leg for leg in answered if leg["role"] != "caller"]
    if any(leg["two_way_s"] < window_s * _ENOUGH for leg in partners):
        return "less two-way talk than the window"
    return ""


def percentile(values: list[float], percent: float) -> float:
    """Return the value that `percent` of all do not exceed (nearest rank); NaN without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def told(failures: list[str]) -> str:
    """Return failures as one line: how many of each kind."""
    return "; ".join(f"{count} × {reason}" for reason, count in Counter(failures).most_common(4))


def median(values: list[float]) -> float:
    """Return the median; NaN without values."""
    return statistics.median(values) if values else float("nan")
