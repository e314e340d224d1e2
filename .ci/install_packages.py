"""Installs packages by pip into the environment of the Python that runs this, and says what pip is at.

    .venv/bin/python .ci/install_packages.py "the service" --editable .

The first argument names what is installed, the others are pip's. A line comes at most every two seconds and at least
every ten, each on a line of its own, so a terminal and a log read the same. When pip fails, all it printed follows.
pip has no such report of its own: quiet it says nothing for minutes, loud it says everything, and in neither how far
its installing is. Should it word its lines differently one day, only the details here are lost.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

# --no-input: a question of pip's would wait unseen; --progress-bar: a bar is drawn again and again on one line
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")
_LOOK_EVERY_S, _LINE_EVERY_S, _AGAIN_AFTER_S = 0.2, 2.0, 10.0
_INTERRUPTED, _TERMINATED = 130, 143

_COLLECTING = re.compile(r"Collecting ([\w.-]+)")
_FILE = re.compile(
    r"(?:Downloading|Using cached|Processing) (?:\S*/)?(?P<stem>[^/\s]+?)(?:\.whl|\.tar\.gz|\.zip)"
    r"(?: \((?P<size>[\d.]+ \w+)\)| \(from .*\))?$"
)
_BUILDING = re.compile(r"Building (?:wheel|editable) for (\S+) .*: started")


class PipListener:
    """Makes of the lines pip prints what it is at.

    pip learns of packages one by one, so it has no total before it has found all. From then on there is one.
    """

    def __init__(self) -> None:
        self.names: list[str] = []  # what is being installed, in pip's order; empty before it comes to that
        self.installed: list[str] = []  # with versions, once pip has said that all are
        self._found: list[str] = []
        self._fetched: set[str] = set()  # backtracking, pip fetches some again in another version
        self._has_all = False
        self._stage = "starting pip"

    def hear(self, line: str) -> None:
        """Take in one line of pip's."""
        line = line.strip()
        if line.startswith("Installing build dependencies: started"):
            self._stage = "fetching what builds this package"
        elif line.startswith("Installing collected packages: "):
            self.names = line.partition(": ")[2].split(", ")
        elif line.startswith("Successfully installed "):
            self.installed = line.split()[2:]
        elif building := _BUILDING.match(line):
            self._stage = f"building {building[1]}"
        elif collecting := _COLLECTING.match(line):
            self._find(collecting[1])
            self._stage = f"finding packages, {len(self._found)} so far: {collecting[1]}"
        elif file := _FILE.match(line):
            self._fetch(*_name_and_version(file["stem"]), file["size"])

    def stage(self, installed: int) -> str:
        """Return what pip is at, when it has installed so many packages."""
        if not self.names:
            return self._stage
        at = min(installed, len(self.names) - 1)
        return f"installing {at + 1} of {len(self.names)}: {self.names[at]}"

    def _find(self, name: str) -> None:
        if _plain(name) not in self._found:
            self._found.append(_plain(name))
        self._has_all = False

    def _fetch(self, name: str, version: str, size: str | None) -> None:
        if _plain(name) not in self._found:  # a file beside the index is not "collected" first
            self._find(name)
        elif _plain(name) != self._found[-1]:  # pip goes back to the first: it knows of all by now
            self._has_all = True
        self._fetched.add(_plain(name))
        found, fetched = len(self._found), len(self._fetched)
        count = f"{fetched} of {found}" if self._has_all else f"packages, {found} so far"
        self._stage = f"fetching {count}: {name} {version}" + (f" ({size})" if size else "")


class Lines:
    """Prints what goes on: not the same again and again, not too often, and never nothing for long."""

    def __init__(self, out: IO[str], clock: Callable[[], float]) -> None:
        self._out = out
        self._clock = clock
        self._began = self._printed_at = clock()
        self._printed = ""

    def print(self, text: str) -> None:
        """Print a line, with the seconds since the beginning."""
        now = self._clock()
        self._out.write(f"{now - self._began:8.1f} s  {text}\n")
        self._out.flush()
        self._printed, self._printed_at = text, now

    def show(self, stage: str) -> None:
        """Print what goes on if it is time to."""
        if self._clock() - self._printed_at >= (_AGAIN_AFTER_S if stage == self._printed else _LINE_EVERY_S):
            self.print(stage)


def install(title: str, arguments: list[str], out: IO[str], errors: IO[str]) -> int:
    """Run pip with `arguments`, tell on `out` how it goes, and return its exit status.

    What pip finds wrong comes on `errors`; if it fails, all that it printed does.
    """
    out.write(f"installing {title} ...\n")
    out.flush()
    before = installed_packages()
    lines, listener, printed = Lines(out, time.monotonic), PipListener(), []
    pip = subprocess.Popen(
        [sys.executable, *_PIP, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert pip.stdout is not None
    try:
        for line in _lines_or_none(pip.stdout):
            if line is not None:
                printed.append(line)
                listener.hear(line)
                if line.startswith("WARNING: Retrying"):
                    lines.print(f"pip tries again: {line.rstrip()}")
            lines.show(listener.stage(len(installed_packages() - before) if listener.names else 0))
    except SystemExit:
        pip.send_signal(signal.SIGINT)  # as Ctrl-C, which reaches pip by itself
        raise
    finally:
        pip.wait()  # it takes its folders away
    if pip.returncode:
        errors.write(f"pip failed with exit status {pip.returncode}; this is all that it printed:\n{''.join(printed)}")
        return pip.returncode
    errors.write("".join(_complaints(printed)))
    count = len(listener.installed)
    what = "nothing: all was there" if not count else listener.installed[0] if count == 1 else f"{count} packages"
    lines.print(f"installed {what}")
    return 0


def installed_packages() -> set[tuple[str, int]]:
    """Return what is installed here, each by its folder and when it was done.

    pip writes INSTALLER (PEP 376) when a package's files are in their place.
    """
    found = set()
    for mark in Path(sysconfig.get_path("purelib")).glob("*.dist-info/INSTALLER"):
        try:
            found.add((mark.parent.name, mark.stat().st_mtime_ns))
        except FileNotFoundError:  # pip is just replacing it
            continue
    return found


def _lines_or_none(stream: IO[str]) -> Iterator[str | None]:
    """Yield each line as it comes, and None whenever none has come for a while."""
    arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = arrived.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _complaints(printed: list[str]) -> list[str]:
    """Return what pip found wrong and yet went on: packages that do not fit together."""
    first = next((at for at, line in enumerate(printed) if line.startswith("ERROR:")), len(printed))
    return [line for line in printed[first:] if not line.startswith("Successfully installed")]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _name_and_version(stem: str) -> tuple[str, str]:
    """Split the file name, less its end, of a wheel (PEP 427: name-version-tags) or a source archive (name-version)."""
    parts = stem.split("-")
    if len(parts) >= 5:
        return parts[0], parts[1]
    name, _, version = stem.rpartition("-")
    return (name, version) if name else (stem, "")


def _terminated(*_: object) -> None:
    sys.exit(_TERMINATED)


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: install_packages.py TITLE PIP-ARGUMENT...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return install(sys.argv[1], sys.argv[2:], sys.stdout, sys.stderr)
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
