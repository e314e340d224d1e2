"""`python -m benchmarks.viewers`: the same calls with and without 200 viewers and 20 slow clients of the console."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.__main__ import machine, say
from benchmarks.audience import log_in
from benchmarks.conversations import Batch, Generator, LoadBroken, hold, median, percentile, told
from benchmarks.site_files import LoadSite
from demo.scenes import MORNING
from demo.service import Service, ServiceBroken
from node.control_client import ControlError

_ROOT = Path(__file__).resolve().parents[1]
_SAMPLE = _ROOT / "config" / "hotline.yaml"
_LINES_FOR = 1.2  # as benchmarks.__main__
_LAUNCH = "import ctypes; ctypes.CDLL(None).prctl(1, 9); from benchmarks.audience import main; main()"


class Crowd:
    """The audience's process while it is there."""

    def __init__(self, url: str, cookie: str, viewers: int, slow: int) -> None:
        command = [sys.executable, "-c", _LAUNCH, url, cookie, str(viewers), str(slow)]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LoadBroken("the audience has ended")
        answer: dict[str, int] = json.loads(line)
        return answer

    def go(self) -> dict[str, int]:
        """Let all go; return what they saw."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._answer()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Comparison:
    """Rounds in turn: the calls alone, and the calls with an audience."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._site = LoadSite(options.calls)
        self.alone: list[Batch] = []
        self.watched: list[Batch] = []
        self.seen: list[dict[str, int]] = []

    def run(self) -> None:
        """Measure all rounds."""
        with Generator() as generator, self._service(generator) as service:
            cookie = log_in(service.console["first_administrator"])
            self._hold(service, generator)  # warms up, and is not counted
            for turn in range(self._options.rounds):
                say(f"round {turn + 1} of {self._options.rounds}")
                parts = [self._alone, self._watched][:: 1 if turn % 2 == 0 else -1]
                for part in parts:
                    part(service, generator, cookie)

    def _alone(self, service: Service, generator: Generator, _cookie: str) -> None:
        self.alone.append(self._hold(service, generator))

    def _watched(self, service: Service, generator: Generator, cookie: str) -> None:
        options = self._options
        with Crowd(service.console["url"], cookie, options.viewers, options.slow) as crowd:
            self.watched.append(self._hold(service, generator))
            self.seen.append(crowd.go())

    @contextlib.contextmanager
    def _service(self, generator: Generator) -> Iterator[Service]:
        lines = round(self._options.calls * _LINES_FOR) + 2
        changes = self._site.changes(self._folder, lines, record_calls=True)
        changes["console"] = {"enabled": True, "listen": "127.0.0.1:0"}
        with Service(_SAMPLE, self._folder, generator.trunk_port, MORNING, changes) as service:
            yield service

    def _hold(self, service: Service, generator: Generator) -> Batch:
        options = self._options
        return hold(
            service, generator, self._site, conversations=options.calls, with_seat=True, per_s=options.per_s,
            window_s=options.window_s,
        )  # fmt: skip

    # -- what it came to ----------------------------------------------------------------------------------------------

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the table: what, alone, watched."""

        def row(what: str, measure: Callable[[list[Batch]], str]) -> tuple[str, str, str]:
            return what, measure(self.alone), measure(self.watched)

        return [
            row("answer: INVITE sent → 200 OK", lambda all_: _spread([s for one in all_ for s in one.answer_s])),
            row("seat's # by SIP INFO → specialist INVITE",
                lambda all_: _spread([s for one in all_ for s in one.key_info_s])),
            row("seat's # by RFC 4733 → specialist INVITE",
                lambda all_: _spread([s for one in all_ for s in one.key_rfc4733_s])),
            row("CPU of the node while calls begin", lambda all_: _node([one.ramp for one in all_])),
            row("CPU of the node while all talk", lambda all_: _node([one.window for one in all_])),
            row("least RTP heard by a leg", lambda all_: f"{100 * min(one.least_heard for one in all_):.1f} %"),
            row("conversations that failed", _failed),
        ]  # fmt: skip

    @property
    def failures(self) -> list[str]:
        """Return a reason for each conversation that failed."""
        return [reason for one in (*self.alone, *self.watched) for reason in one.failures]

    def facts(self) -> list[str]:
        """Return what the audience saw, and what makes these figures doubtful."""
        events, thrown_out = (sum(one[name] for one in self.seen) for name in ("events", "thrown_out"))
        found = [f"viewers were sent {events} events; {thrown_out} connections were ended for being too slow"]
        others = max(one.window.others_percent for one in self.alone)
        if others > 15:
            found.append(f"other processes used up to {others:.0f} % of a core: run it again on a quiet machine")
        return found


def _spread(seconds: list[float]) -> str:
    p50, p95, top = (1000 * percentile(seconds, percent) for percent in (50, 95, 100))
    return f"p50 {p50:.1f}, p95 {p95:.1f}, max {top:.1f} ms (n = {len(seconds)})"


def _node(windows: list[Any]) -> str:
    each = [100 * one.cpu_s("node") / one.span_s for one in windows]
    return f"{median(each):.1f} % ({min(each):.1f}–{max(each):.1f})"


def _failed(batches: list[Batch]) -> str:
    failures = [reason for one in batches for reason in one.failures]
    return f"{len(failures)} of {sum(one.wanted for one in batches)}" + (f" ({told(failures)})" if failures else "")


def printed(rows: list[tuple[str, str, str]]) -> str:
    """Return the table as text."""
    widths = [max(len(row[at]) for row in rows) for at in range(2)]
    return "\n".join(f"{what:<{widths[0]}}  {one:<{widths[1]}}  {other}".rstrip() for what, one, other in rows)


def main() -> int:
    """Return 0 when all was measured and no call failed, 1 when calls failed, 2 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("--calls", type=int, default=40, help="three-way calls at once (default 40)")
    parser.add_argument("--viewers", type=int, default=200, help="readers of the event stream (default 200)")
    parser.add_argument("--slow", type=int, default=20, help="clients of a byte a second (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="with and without, in turn (default 3)")
    parser.add_argument("--window-s", type=float, default=15.0, help="seconds measured while all talk (default 15)")
    parser.add_argument("--per-s", type=float, default=5.0, help="calls begun a second (default 5)")
    options = parser.parse_args()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="hotline-bench-") as folder:
            comparison = Comparison(options, Path(folder))
            comparison.run()
    except (ServiceBroken, ControlError, LoadBroken, OSError) as wrong:
        print(f"cannot measure: {wrong}", file=sys.stderr)
        return 2
    facts = [f"{machine()}; {time.strftime('%Y-%m-%d %H:%M')}; {time.monotonic() - began:.0f} s", *comparison.facts()]
    head = ("", "calls alone", f"with {options.viewers} viewers and {options.slow} slow clients")
    print("\n".join([*facts, "", printed([head, *comparison.rows()])]))
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
