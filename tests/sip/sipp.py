"""Runs SIPp against a port and reads its figures."""

from __future__ import annotations

import csv
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.sip.keys_pcap import write_keys
from tests.sip.processes import dying_with_us, free_port

SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class SippResult:
    """What SIPp counted, and what it complained of."""

    successful: int
    failed: int
    errors: str


def may_play_captures() -> bool:
    """Tell whether this user may open the raw sockets that SIPp's play_pcap_audio needs."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).close()
    except PermissionError:
        return False
    return True


class Sipp:
    """SIPp in one folder, where its files go."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def run(self, target_port: int, scenario: str = "uac", *, number: str = "12345", calls: int = 1,
            per_second: int = 10, at_once: int = 50, call_ms: int = 500, keys: str = "",
            timeout_s: int = 60) -> SippResult:
        """Place calls to 127.0.0.1:`target_port` and return when all are over.

        `scenario` is one of SIPp's own (uac) or the stem of a file in scenarios/; `keys` is what keys_rfc4733 presses.
        """
        if keys:
            write_keys(self._folder / "keys.pcap", keys)
        own_file = SCENARIOS / f"{scenario}.xml"
        which = ["-sf", str(own_file)] if own_file.exists() else ["-sn", scenario]
        stats, errors = self._folder / "stats.csv", self._folder / "errors.log"
        command = [
            self._program, f"127.0.0.1:{target_port}", *which, "-s", number, "-i", "127.0.0.1", "-nostdin",
            "-mp", str(free_port() & ~1), "-m", str(calls), "-r", str(per_second), "-l", str(at_once),
            "-d", str(call_ms), "-timeout", f"{timeout_s}s", "-timeout_error",
            "-trace_stat", "-stf", str(stats), "-fd", "1", "-trace_err", "-error_file", str(errors),
        ]
        printed = subprocess.run(
            dying_with_us(command), cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=timeout_s + 15, check=False,
        )
        complaints = errors.read_text(errors="replace") if errors.exists() else printed.stderr[-2000:]
        return _counted(stats, complaints)


def _counted(stats: Path, errors: str) -> SippResult:
    if not stats.exists():
        raise AssertionError(f"SIPp wrote no figures: {errors}")
    with stats.open(newline="", errors="replace") as lines:
        last = list(csv.DictReader(lines, delimiter=";"))[-1]
    return SippResult(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), errors)
