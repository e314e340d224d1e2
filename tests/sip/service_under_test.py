"""The real service in a process of its own, with a configuration for one test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.sip.processes import dying_with_us, free_port

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0  # the first start of a run also synthesises the prompts


def sample_config(sip_port: int, trunk_port: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sample settings with paths made absolute, the given ports, and `overrides` merged in."""
    sample = yaml.safe_load((ROOT / "config" / "hotline.yaml").read_text(encoding="utf-8"))
    paths = {
        "directory_file": str(ROOT / "config" / "units.yaml"),
        "matters_file": str(ROOT / "config" / "matters.yaml"),
        "calendar_dir": str(ROOT / "config" / "calendar"),
        "prompts": {"directory": str(ROOT / "config" / "prompts")},
    }
    trunk = {"name": "switchboard", "host": f"127.0.0.1:{trunk_port}", "allow": ["127.0.0.0/8"]}
    ports = {"sip": {"listen": f"127.0.0.1:{sip_port}", "trunks": [trunk]}}
    return merged(merged(merged(sample, paths), ports), overrides)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above` over it, mappings merged key by key."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


class ServiceUnderTest:
    """`hotline serve` with its log kept; started by start(), ended by stop() or kill(), and may be started again."""

    def __init__(self, folder: Path, trunk_port: int, at: str = "", **overrides: Any) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.sip_port = free_port()
        self.log: list[dict[str, Any]] = []
        self.printed: list[str] = []
        self._at = at
        self._config = folder / "hotline.yaml"
        settings = sample_config(self.sip_port, trunk_port, overrides)
        self._config.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._changed = threading.Condition()

    @property
    def pid(self) -> int:
        """Process id of the node."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether the node's process lives."""
        return self._process is not None and self._process.poll() is None

    def uri(self, number: str = "12345") -> str:
        """Return the address that a caller dials."""
        return f"sip:{number}@127.0.0.1:{self.sip_port}"

    def command(self, verb: str, *arguments: str) -> list[str]:
        """Return a hotline command line for this configuration and data."""
        base = [sys.executable, "-m", "hotline", verb, "--config", str(self._config), "--data-dir", str(self.data_dir)]
        return [*base, *arguments]

    def start(self) -> ServiceUnderTest:
        """Start the node; return when it takes calls."""
        already = len(self.log)
        self._process = subprocess.Popen(
            dying_with_us(self.command("serve", *(["--at", self._at] if self._at else []))),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd=ROOT,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self.wait_log("service_started", START_S, after=already)
        return self

    def ask(self, verb: str, *arguments: str) -> Any:
        """Return what a hotline command (orders, calls, deadline) prints with --json."""
        done = subprocess.run(
            self.command(verb, "--json", *arguments), capture_output=True, text=True, timeout=30, cwd=ROOT, check=False
        )
        assert done.returncode == 0, f"hotline {verb} ended with {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def wait_log(self, event: str, timeout_s: float = 5.0, after: int = 0, **fields: Any) -> dict[str, Any]:
        """Return the first log line `event` with these fields, counted from line `after`; waits for it if need be."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for line in self.log[after:]:
                    if line.get("event") == event and fields.items() <= line.items():
                        return line
                left_s = until - time.monotonic()
                if left_s <= 0 or not (self.is_running or self._reader_lives()):
                    raise AssertionError(f"the service logged no {event} {fields or ''}; it printed:\n{self.story()}")
                self._changed.wait(min(left_s, 0.2))

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return all log lines of one event with these fields."""
        with self._changed:
            return [line for line in self.log if line.get("event") == event and fields.items() <= line.items()]

    def story(self, lines: int = 60) -> str:
        """Return the last lines that the service printed."""
        return "\n".join(self.printed[-lines:]) or "(nothing)"

    def stop(self, timeout_s: float = 15.0) -> int:
        """End the node by SIGTERM; return its exit status, or -9 when it had to be killed."""
        if self._process is None:
            return 0
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._end_reading()
        return status

    def kill(self) -> None:
        """End the node by kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._end_reading()

    def _reader_lives(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _end_reading(self) -> None:
        # a child that outlived the node would keep the pipe open: it is found by the check for leaks, not by a hang
        if self._reader is not None:
            self._reader.join(2.0)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for text in lines:
                try:
                    parsed = json.loads(text)
                except ValueError:
                    parsed = None
                with self._changed:
                    self.printed.append(text.rstrip("\n"))
                    if isinstance(parsed, dict):
                        self.log.append(parsed)
                    self._changed.notify_all()
