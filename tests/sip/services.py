"""The service as tests run it: with the sample's files, on ports of this test process, its prompts spoken once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from demo.service import Service
from tests.leftovers import SESSION
from tests.sip import quiet
from tests.sip.ports import free_port, rtp_ports

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "hotline.yaml"


class _TestedService(Service):
    """A service that starts, and starts again, while nobody listens: that takes seconds of a whole processor."""

    def _start(self, at: datetime) -> subprocess.Popen[bytes]:
        with quiet.working_hard():
            return super()._start(at)


def start_service(folder: Path, trunk_port: int, at: datetime, changes: dict[str, Any] | None = None) -> Service:
    """Start a service in `folder` whose trunk is at `trunk_port`; `changes` are laid over hotline.yaml.

    The first service of a session that speaks in a voice makes all prompts; the others find what it has made.
    """
    changes = {**(changes or {})}
    changes["sip"] = rtp_ports() | changes.get("sip", {})
    own, kept = folder / "var" / "prompts", _kept(changes.get("prompts", {}))
    if kept is not None and kept.is_dir():
        own.parent.mkdir(mode=0o700, exist_ok=True)
        _copy(kept, own)
    service = _TestedService(SAMPLE, folder, trunk_port, at, changes, sip_port=free_port())
    if kept is not None and not kept.is_dir():
        _keep(own, kept)
    return service


def _kept(voice: dict[str, Any]) -> Path | None:
    """Return where the session keeps what is spoken so; None outside of a test session."""
    session = os.environ.get(SESSION)
    return Path(session, f"spoken-{sha256(json.dumps(voice).encode()).hexdigest()[:12]}") if session else None


def _keep(spoken: Path, kept: Path) -> None:
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    _copy(spoken, half)
    try:
        half.rename(kept)
    except OSError:  # another process of the session was quicker
        shutil.rmtree(half)


def _copy(spoken: Path, to: Path) -> None:
    """Link every sound: the service never writes into one, but puts another in its place."""
    shutil.copytree(spoken, to, copy_function=os.link)
