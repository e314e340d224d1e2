"""The warm parent: imports pjsua2 once, then forks a line for each LineConfig that comes in on stdin."""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import signal
import sys
import traceback
from typing import NoReturn

from ivr.line import line as telephone  # imported before any fork: its memory is shared by all lines
from ivr.line.messages import LineConfig, MalformedMessage
from processes.die_with_parent import tie_to


def _close_inherited(keep: set[int]) -> None:
    """Close what the parent holds: the pool's pipes must see EOF, and pjproject's select() takes descriptors < 1024."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                continue


def _be_line(config: LineConfig, parent: int) -> NoReturn:
    """Be a line; never come back into the parent's loop, which would fork without end."""
    status = 1
    try:
        tie_to(parent, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        # Ctrl-C goes to the whole terminal group: the node ends the calls, not the terminal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close_inherited({0, 1, 2})
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)  # pjproject prints its first words there, before it can be told not to
        telephone.serve(config)
        status = 0
    except SystemExit:
        pass  # its parent ended before the two were tied together: nobody is left to hear why
    except BaseException:  # see above
        traceback.print_exc()
    finally:
        os._exit(status)


class WarmParent:
    """Forks lines on request, and tells which have been forked and which have ended."""

    def __init__(self, most_lines: int) -> None:
        self._most_lines = most_lines
        self._lines: dict[int, int] = {}
        self._unread = b""

    def run(self) -> None:
        """Serve until stdin ends; the lines then end with this process."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([0, reader], [], [])
            if reader in ready:
                os.read(reader, 4096)
            self._reap()
            if 0 in ready and not self._read():
                return

    def _read(self) -> bool:
        text = os.read(0, 65536)
        *lines, self._unread = (self._unread + text).split(b"\n")
        for line in lines:
            self._fork(line)
        return bool(text)

    def _fork(self, line: bytes) -> None:
        if line.startswith(b'{"kill"'):
            self._kill(json.loads(line)["kill"])
            return
        try:
            config = decode_config(line)
        except MalformedMessage as wrong:
            _tell({"malformed": str(wrong)})
            return
        if len(self._lines) >= self._most_lines:
            _tell({"refused": config.line, "most_lines": self._most_lines})
            return
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as wrong:  # no process or memory left: those who talk must not end with this
            _tell({"refused": config.line, "error": str(wrong)})
            return
        if pid == 0:
            _be_line(config, parent)
        self._lines[pid] = config.line
        _tell({"forked": config.line, "pid": pid})

    def _kill(self, number: int) -> None:
        # not yet reaped, so the process id cannot be another's
        for pid, line in self._lines.items():
            if line == number:
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self._lines:
                _tell({"exited": self._lines.pop(pid), "pid": pid, "status": os.waitstatus_to_exitcode(status)})


def decode_config(line: bytes) -> LineConfig:
    """Return the LineConfig in one line of text; MalformedMessage if it is none."""
    try:
        return LineConfig(**json.loads(line))
    except (ValueError, TypeError) as wrong:
        raise MalformedMessage(f"{line[:80]!r}") from wrong


def _tell(fields: dict[str, object]) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


def main() -> None:
    """Read the arguments, freeze what is shared, and serve."""
    parser = argparse.ArgumentParser(prog="python -m ivr.line", description=__doc__)
    parser.add_argument("--most-lines", type=int, default=512, help="refuse to fork more living lines than these")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process to end with")
    arguments = parser.parse_args()
    tie_to(arguments.parent, signal.SIGKILL)
    # it ends when its stdin does; signals to the whole group (Ctrl-C, a service manager) are for the node
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.collect()
    gc.disable()
    # frozen objects are never written to by the collector: their pages stay shared
    gc.freeze()
    WarmParent(arguments.most_lines).run()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
