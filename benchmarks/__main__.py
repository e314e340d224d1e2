"""`python -m benchmarks`: conversations at once, latencies, CPU, memory and orders a second, against their targets."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from benchmarks import orders
from benchmarks.conversations import Batch, Generator, LoadBroken, hold, percentile
from benchmarks.profiler import profile
from benchmarks.site_files import LoadSite
from benchmarks.table import Figures, printed
from demo.scenes import MORNING
from demo.service import Service, ServiceBroken
from node.control_client import ControlError

_SAMPLE = Path(__file__).resolve().parents[1] / "config" / "hotline.yaml"
# of all lines 10 % are kept for callbacks, and a line rests a moment after its conversation
_LINES_FOR = 1.2


class Bench:
    """One run of all measurements."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._site = LoadSite(options.conversations)
        self._generator: Generator | None = None

    def run(self) -> tuple[Figures, list[str]]:
        """Measure everything; return the figures, and a profile if one was wanted or a CPU target was missed."""
        figures = Figures([], [], [], [], {})
        options, profiled = self._options, []
        with Generator() as self._generator:
            with self._service(record_calls=True) as service:
                for turn in range(options.rounds):
                    say(f"round {turn + 1} of {options.rounds}, recorded")
                    figures.two_party.append(self._hold(service, with_seat=False))
                    figures.three_way.append(self._hold(service, with_seat=True))
                if options.profile or figures.cpu_is_missed:
                    profiled = self._profile(service)
            if options.unrecorded:
                with self._service(record_calls=False) as service:
                    say("not recorded")
                    figures.two_party_unrecorded.append(self._hold(service, with_seat=False))
                    figures.three_way_unrecorded.append(self._hold(service, with_seat=True))
        say("orders")
        figures.orders = orders.measure(options.window_s / 2, folder=self._folder)
        return figures, [*self.stages(figures.batches), *profiled]

    @contextmanager
    def _service(self, record_calls: bool) -> Iterator[Service]:
        assert self._generator is not None
        lines = round(self._options.conversations * _LINES_FOR) + 2
        changes = self._site.changes(self._folder, lines, record_calls)
        with Service(_SAMPLE, self._folder, self._generator.trunk_port, MORNING, changes) as service:
            yield service

    def _hold(self, service: Service, with_seat: bool) -> Batch:
        assert self._generator is not None
        options = self._options
        batch = hold(
            service, self._generator, self._site, conversations=options.conversations, with_seat=with_seat,
            per_s=options.per_s, window_s=options.window_s,
        )  # fmt: skip
        generator_percent = 100 * batch.window.generator_s / batch.window.span_s
        say(f"  {'three-way' if with_seat else 'two-party'}: {batch.cpu_percent():.2f} % of a core each, "
            f"{len(batch.failures)} failed; load generator {generator_percent:.0f} %, "
            f"others on this machine {batch.window.others_percent:.0f} % "
            f"({batch.ramp.others_percent:.0f} % while the calls began)")
        return batch

    def _profile(self, service: Service) -> list[str]:
        assert self._generator is not None
        found: list[str] = []
        say("profile")
        batch = hold(
            service, self._generator, self._site, conversations=self._options.conversations, with_seat=True,
            per_s=self._options.per_s, window_s=5.0, in_window=lambda lines: found.extend(profile(lines)),
        )  # fmt: skip
        parts = ", ".join(
            f"{role} {100 * user_s / (user_s + system_s or 1):.0f} % user mode, "
            f"{batch.window.sleeps_by_role[role] / batch.window.span_s / batch.wanted:.0f} sleeps/s a conversation"
            for role, (user_s, system_s) in batch.window.by_role.items() if role in ("lines", "node")
        )
        return ["three-way conversations; " + parts, *found]

    @staticmethod
    def stages(batches: list[Batch]) -> list[str]:
        """Return where the time of an answer goes, by the service's own records."""
        pooled: dict[str, list[float]] = {}
        for batch in batches:
            for stage, seconds in batch.stages_s.items():
                pooled.setdefault(stage, []).extend(seconds)
        return [
            f"answer, {stage}: p50 {1000 * percentile(seconds, 50):.1f} ms, p95 {1000 * percentile(seconds, 95):.1f} ms"
            for stage, seconds in pooled.items()
        ]


def machine() -> str:
    """Return what was measured on."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")), "?")
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


def warnings(figures: Figures) -> list[str]:
    """Return what makes these figures doubtful."""
    found = []
    others = max(max(batch.window.others_percent, batch.ramp.others_percent) for batch in figures.batches)
    if others > 15:
        found.append(f"other processes used up to {others:.0f} % of a core meanwhile: run it again on a quiet machine")
    late_s = max(batch.late_s for batch in figures.batches)
    if late_s > 0.1:
        found.append(f"the load generator was up to {1000 * late_s:.0f} ms late with a frame")
    return found


def say(text: str) -> None:
    """Tell how far it is, on standard error."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Return 0 when all was measured and no call failed, 1 when calls failed, 2 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--conversations", type=int, default=150, help="at once (default 150)")
    parser.add_argument("--rounds", type=int, default=3, help="two-party and three-way in turn (default 3)")
    parser.add_argument("--window-s", type=float, default=15.0, help="seconds measured while all talk (default 15)")
    parser.add_argument("--per-s", type=float, default=10.0, help="calls begun a second (default 10)")
    parser.add_argument("--recorded-only", dest="unrecorded", action="store_false", help="not again without recording")
    parser.add_argument("--profile", action="store_true", help="say where the time goes, even if no target is missed")
    parser.add_argument("--quick", action="store_true", help="20 conversations, one round: does it work at all?")
    parser.add_argument("--folder", type=Path, help="disk to write on (default: the system's temporary folder)")
    parser.add_argument("--json", action="store_true", help="print everything for machines")
    options = parser.parse_args()
    if options.quick:
        options.conversations, options.rounds, options.window_s, options.unrecorded = 20, 1, 5.0, False
    began = time.monotonic()
    # so that service, load generator and folder go when somebody ends this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # the ledger that is measured in this process says only what goes wrong, and never on standard output
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="hotline-bench-", dir=options.folder) as folder:
            figures, profiled = Bench(options, Path(folder)).run()
    except (ServiceBroken, ControlError, LoadBroken, OSError) as wrong:
        print(f"cannot measure: {wrong}", file=sys.stderr)
        return 2
    facts = [f"{machine()}; {time.strftime('%Y-%m-%d %H:%M')}; {time.monotonic() - began:.0f} s", *warnings(figures)]
    if options.json:
        document: dict[str, Any] = {"machine": facts[0], "warnings": facts[1:], "profile": profiled}
        print(json.dumps(document | figures.as_json(), ensure_ascii=False, indent=2))
    else:
        print("\n".join([*facts, "", printed(figures.rows()), *([""] if profiled else []), *profiled]))
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
