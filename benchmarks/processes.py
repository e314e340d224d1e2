"""What processes cost, as /proc tells it: CPU, memory, how often they wake; nothing but this kernel is asked."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of one process since its birth, and how often it went to sleep by itself."""

    user_s: float
    system_s: float
    sleeps: int


def family(pid: int) -> dict[int, str]:
    """Return a service's processes by role: node, lines (and their warm parent), redis, other."""
    parents = _parents()
    roles = {pid: "node"}
    grown = True
    while grown:
        born = {child: _role(child) for child, parent in parents.items() if parent in roles and child not in roles}
        roles |= born
        grown = bool(born)
    return roles


def _parents() -> dict[int, int]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields:
                found[int(name)] = int(fields[1])
    return found


def _role(pid: int) -> str:
    command = _read(pid, "cmdline").replace("\0", " ")
    if "ivr.line" in command:
        return "lines"
    return "redis" if "redis-server" in command else "other"


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty if the process is gone."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def usage(pids: Iterable[int]) -> dict[int, Usage]:
    """Return what these processes have used until now; those that are gone are left out."""
    found = {}
    for pid in pids:
        fields = _stat(pid)
        if fields:
            found[pid] = Usage(int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S, _sleeps(pid))
    return found


def _sleeps(pid: int) -> int:
    """Return how often all threads of a process have gone to sleep by themselves."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0
    texts = (_read(pid, f"task/{thread}/status") for thread in threads)
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split("\n", 1)[0] or 0) for text in texts)


def private_mb(pid: int) -> float | None:
    """Return the memory that would come back if this process ended, in MB (2^20 bytes); None if it is gone."""
    fields = [line.split() for line in _read(pid, "smaps_rollup").splitlines()]
    parts = [int(each[1]) for each in fields if each[0] in ("Private_Clean:", "Private_Dirty:")]
    return sum(parts) / 1024 if parts else None


@dataclass(frozen=True, slots=True)
class Resources:
    """What the processes of one role hold: how many they are, their share of memory (PSS), open descriptors."""

    processes: int
    pss_mb: float
    descriptors: int


def resources(pid: int) -> dict[str, Resources]:
    """Return what a service holds, by role; what is shared counts once."""
    held: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for member, role in family(pid).items():
        lines = _read(member, "smaps_rollup").splitlines()
        shares = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
        try:
            descriptors = len(os.listdir(f"/proc/{member}/fd"))
        except OSError:
            continue
        held[role][0] += 1
        held[role][1] += sum(shares) / 1024
        held[role][2] += descriptors
    return {role: Resources(int(count), mb, int(opened)) for role, (count, mb, opened) in held.items()}


def machine_busy_s() -> float:
    """Return the CPU seconds that all processors have been busy since boot, what was stolen by the host included."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(each) for each in fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Window:
    """CPU used in a span of time, in seconds."""

    span_s: float
    by_role: dict[str, tuple[float, float]]  # user, system
    sleeps_by_role: dict[str, int]
    busy_lines: tuple[int, ...]
    generator_s: float
    machine_s: float

    @property
    def others_percent(self) -> float:
        """What neither service nor load generator used, in percent of a core."""
        return 100 * max(0.0, self.machine_s - self.generator_s - self.cpu_s()) / self.span_s

    def cpu_s(self, *roles: str) -> float:
        """Return user and system seconds of these roles, of all without any."""
        return sum(sum(used) for role, used in self.by_role.items() if not roles or role in roles)


class Watch:
    """Measures from its making to `stop()`."""

    def __init__(self, service: int, generator: int) -> None:
        self._service, self._generator = service, generator
        self._began, self._machine_s = time.monotonic(), machine_busy_s()
        self._before = usage([*family(service), generator])

    def stop(self) -> Window:
        """Return what was used since; lines that were born meanwhile are counted, those that ended are not."""
        roles = family(self._service)
        after, span_s, machine_s = usage([*roles, self._generator]), time.monotonic() - self._began, machine_busy_s()
        used: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        sleeps: defaultdict[str, int] = defaultdict(int)
        busy = []
        for pid, now in after.items():
            before, role = self._before.get(pid, Usage(0.0, 0.0, 0)), roles.get(pid, "generator")
            used[role][0] += now.user_s - before.user_s
            used[role][1] += now.system_s - before.system_s
            sleeps[role] += now.sleeps - before.sleeps
            # RTP is read and sent all the time; what an idle line does is next to nothing
            if role == "lines" and now.user_s + now.system_s - before.user_s - before.system_s > 0.002 * span_s:
                busy.append(pid)
        generator_s = sum(used.pop("generator", [0.0]))
        by_role = {role: (user_s, system_s) for role, (user_s, system_s) in used.items()}
        return Window(span_s, by_role, dict(sleeps), tuple(busy), generator_s, machine_s - self._machine_s)
