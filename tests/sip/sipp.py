"""Runs SIPp against a port and reads its figures."""

from __future__ import annotations

import csv
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sip.keys_pcap import key_packets, noise_packets, write_capture
from tests.sip.ports import free_port
from tests.sip.processes import dying_with_us

_TRIES = 5
SCENARIOS = Path(__file__).parent / "scenarios"
# A second of G.711's own 1 kHz test tone (table 5/G.711, A-law), as SIPp's rtp_stream wants it: bare samples.
ALAW_TONE = bytes((0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4)) * 1000


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

    def trunk(self) -> SippTrunk:
        """Start a trunk full of specialists."""
        folder = self._folder / "trunk"
        folder.mkdir()
        return SippTrunk(self._program, folder)

    def run(self, target_port: int, scenario: str = "uac", *, number: str = "12345", calls: int = 1,
            per_second: int = 10, at_once: int = 50, call_ms: int = 500, keys: str = "", noise_s: int = 0,
            callers: Sequence[tuple[str, str]] = (), transport: str = "u1", timeout_s: int = 60) -> SippResult:
        """Place calls to 127.0.0.1:`target_port` and return when all are over.

        `scenario` is one of SIPp's own (uac) or the stem of a file in scenarios/; `keys` is what keys_rfc4733 and
        suppresses_silence press, and for `noise_s` seconds after them there is nothing but comfort noise;
        `callers` are number and key of each call of caller.xml; `transport` is u1 (UDP) or t1 (TCP).
        """
        if keys:
            write_capture(self._folder / "keys.pcap", [*key_packets(keys), *noise_packets(keys, noise_s)])
        if callers:
            lines = ["SEQUENTIAL", *(f"{caller};{key};" for caller, key in callers)]
            (self._folder / "callers.csv").write_text("\n".join(lines) + "\n")
            (self._folder / "tone.alaw").write_bytes(ALAW_TONE)
        own_file = SCENARIOS / f"{scenario}.xml"
        which = ["-sf", str(own_file)] if own_file.exists() else ["-sn", scenario]
        stats, errors = self._folder / "stats.csv", self._folder / "errors.log"
        command = [
            self._program, f"127.0.0.1:{target_port}", *which, "-s", number, "-i", "127.0.0.1", "-nostdin",
            "-mp", "{media_port}", "-m", str(calls), "-r", str(per_second), "-l", str(at_once),
            "-d", str(call_ms), "-timeout", f"{timeout_s}s", "-timeout_error",
            "-trace_stat", "-stf", str(stats), "-fd", "1", "-trace_err", "-error_file", str(errors),
            "-t", transport, *(["-inf", "callers.csv"] if callers else []),
        ]
        for _ in range(_TRIES):
            errors.unlink(missing_ok=True)
            media_port = str(free_port() & ~1)
            printed = subprocess.run(
                dying_with_us([word.replace("{media_port}", media_port) for word in command]), cwd=self._folder,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s + 15,
                check=False,
            )
            complaints = errors.read_text(errors="replace") if errors.exists() else printed.stderr[-2000:]
            if "Unable to bind" not in complaints:  # it wants the next ports too, which nobody can keep for it
                break
        return _counted(stats, complaints)


class SippTrunk:
    """A trunk behind which every number is a specialist: answers, presses 1 by INFO, and talks until the BYE."""

    def __init__(self, program: str, folder: Path) -> None:
        (folder / "tone.alaw").write_bytes(ALAW_TONE)
        self.port = free_port()
        command = [
            program, "-sf", str(SCENARIOS / "specialist.xml"), "-i", "127.0.0.1", "-p", str(self.port), "-nostdin",
            "-trace_err", "-error_file", str(folder / "trunk_errors.log"),
        ]
        self._process = subprocess.Popen(
            dying_with_us(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> SippTrunk:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _counted(stats: Path, errors: str) -> SippResult:
    if not stats.exists():
        raise AssertionError(f"SIPp wrote no figures: {errors}")
    with stats.open(newline="", errors="replace") as lines:
        last = list(csv.DictReader(lines, delimiter=";"))[-1]
    return SippResult(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), errors)
