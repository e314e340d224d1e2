"""The service as demo and tests run it: a process of its own on loopback, with a clock that can be set."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from config import yaml_lines
from node.control_client import ask

_START_S = 60.0  # the first start speaks every prompt
_STOP_S = 20.0


class ServiceBroken(RuntimeError):
    """The service did not start, or did not stop; the message ends with what it printed."""


def free_udp_port() -> int:
    """Return a UDP port of 127.0.0.1 that is free at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`hotline serve` with the sample's files, on free ports, in `folder`; ends with this object or this process.

    `changes` are laid over hotline.yaml, section by section: `{"phone": {"ring_s": 4}}`. Without a `sip_port` it takes
    one that is free.
    """

    def __init__(
        self, base: Path, folder: Path, trunk_port: int, at: datetime, changes: dict[str, Any] | None = None,
        *, sip_port: int = 0,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "var"
        self.sip_port = sip_port or free_udp_port()
        self.log_path = folder / "service.log"
        self.console: dict[str, Any] = {}  # where it is, and the first token, if there is one
        self._config = self._write_config(base, trunk_port, changes or {})
        self._process = self._start(at)

    def _write_config(self, base: Path, trunk_port: int, changes: dict[str, Any]) -> Path:
        settings: dict[str, Any] = yaml_lines.read(base).content
        settings["sip"]["listen"] = f"127.0.0.1:{self.sip_port}"
        settings["sip"]["trunks"] = [
            {"name": "switchboard", "host": f"127.0.0.1:{trunk_port}", "allow": ["127.0.0.0/8"], "caller_id": "12345"}
        ]
        for key, usual in (
            ("directory_file", "units.yaml"), ("matters_file", "matters.yaml"), ("calendar_dir", "calendar"),
        ):
            settings[key] = str((base.parent / settings.get(key, usual)).resolve())
        prompts = settings.setdefault("prompts", {})
        prompts["directory"] = str((base.parent / prompts.get("directory", "prompts")).resolve())
        settings["drain_s"] = 0  # whoever plays scenes ends them before the service
        for section, values in changes.items():
            settings[section] = settings.get(section, {}) | values if isinstance(values, dict) else values
        path = self.folder / "hotline.yaml"
        path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        return path

    def _start(self, at: datetime) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, str(Path(__file__).parents[1] / "hotline.py"), "serve", "--config", str(self._config),
            "--data-dir", str(self.data_dir), "--at", at.isoformat(), "--with-parent",
        ]
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                bufsize=0,  # what Python had read ahead, select would not see
            )
        self._wait_started(process)
        return process

    def _wait_started(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        until = time.monotonic() + _START_S
        while (left_s := until - time.monotonic()) > 0:
            if not select.select([process.stdout], [], [], left_s)[0]:
                break
            line = process.stdout.readline()
            if not line:
                break
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if told.get("event") == "console_started":
                    self.console = told
                if told.get("event") == "service_started":
                    return
        process.kill()
        process.wait()
        raise ServiceBroken(f"the service did not start\n{self.printed()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def uri(self) -> str:
        """Where callers ring."""
        return f"sip:12345@127.0.0.1:{self.sip_port}"

    def printed(self, last: int = 4000) -> str:
        """Return the end of what the service logged."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-last:]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log events of one name."""
        entries = []
        for line in self.log_path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("event") == event:
                    entries.append(entry)
        return entries

    def ask(self, question: str, **arguments: Any) -> Any:
        """Ask the running node; see `Control`."""
        return ask(self.data_dir / "control.sock", question, **arguments)

    def report(self, at: datetime) -> dict[str, Any]:
        """Return `hotline report --json` as it is at `at`."""
        command = [
            sys.executable, str(Path(__file__).parents[1] / "hotline.py"), "report", "--config", str(self._config),
            "--data-dir", str(self.data_dir), "--at", at.isoformat(), "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_START_S)
        if done.returncode:
            raise ServiceBroken(f"no report: {done.stderr}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def set_clock(self, at: datetime) -> None:
        """Move the service's clock; calls go on."""
        self.ask("set_clock", at=at.isoformat())

    def wait_idle(self, timeout_s: float = 15.0) -> None:
        """Return when no call is running and everything written is in the store."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            status = self.ask("status")
            waiting = status["records_unwritten"] or status["ledger"]["events_waiting"]
            if not status["calls"] and not waiting:
                return
            time.sleep(0.05)
        raise ServiceBroken(f"still busy after {timeout_s} s: {self.ask('status')}")

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the node with kill -9."""
        self._process.kill()
        self._process.wait()

    def start_again(self, at: datetime) -> None:
        """Start the node anew on the same data."""
        self._process = self._start(at)

    def stop(self) -> int:
        """End the service in good order and return its exit status."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired as wrong:
                self._process.kill()
                self._process.wait()
                raise ServiceBroken(f"the service did not stop\n{self.printed()}") from wrong
        return self._process.returncode

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
