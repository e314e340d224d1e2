"""`python -m benchmarks.soak`: half an hour of calls of which many end badly, to see what grows and who is lost.

One caller in ten loses power in the talk, one in ten never confirms the answer, one in twenty has a name in GBK. The
good ones ring, choose, talk with a specialist who has accepted, and hang up.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import select
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

from benchmarks.phones import Address, Phone, Phones
from benchmarks.processes import Resources, resources
from benchmarks.sip_text import Message
from benchmarks.site_files import LoadSite
from demo.scenes import MORNING
from demo.service import Service

_SAMPLE = Path(__file__).resolve().parents[1] / "config" / "hotline.yaml"
_AT_ONCE = 80  # conversations: three a second for eight seconds, and those that die or are never confirmed
_TALK_S = 8.0
_DIES_AFTER_S = 4.0
_SAMPLE_EVERY_S = 30.0
_CALM_S = 75.0  # after the last call: the longest that a dead one may hold a line, and the rest of a line
_HEARD = 0.8  # of the RTP that 20 ms frames make, at least, or a good caller was not served
_GOOD, _GBK, _DIES, _UNCONFIRMED = "good", "good, name in GBK", "dies in the talk", "never confirms"
_GBK_NAME = b'From: "\xc9\xcf\xba\xa3\xb9\xab\xcb\xbe" <'
_LONGEST_SLEEP_S = 0.05


def kind_of(luck: random.Random) -> str:
    """Return what one caller is like."""
    at = luck.random()
    return _DIES if at < 0.10 else _UNCONFIRMED if at < 0.20 else _GBK if at < 0.25 else _GOOD


class SoakPhones(Phones):
    """Callers of every kind, and the specialists they are put through to."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._kinds: dict[str, str] = {}
        self._up_at: dict[str, float] = {}
        self._dead: set[str] = set()
        self._is_gbk = False

    def ring(self, service_port: int, number: str, key: str, kind: str) -> None:
        """Let one caller ring."""
        self._service = ("127.0.0.1", service_port)
        self.placed[kind] += 1
        self._is_gbk = kind == _GBK
        self._call(number, key)
        phone = next(reversed(self.phones.values()))
        phone.is_leaving = True  # whatever ends it is no trouble by itself
        self._kinds[phone.call_id] = kind

    def _request(self, phone: Phone, method: str, *args: Any, **named: Any) -> bytes:
        request = super()._request(phone, method, *args, **named)
        return request.replace(b"From: <", _GBK_NAME, 1) if method == "INVITE" and self._is_gbk else request

    def _answered(self, answer: Message, arrived_at: float) -> None:
        kind = self._kinds.get(answer.first("call-id"), "")
        if answer.first("call-id") in self._dead or (kind == _UNCONFIRMED and answer.sip_status == 200):
            return
        if answer.method == "INVITE" and answer.sip_status >= 300 and kind:
            self.lost[f"{kind}: {answer.sip_status}"] += 1
        super()._answered(answer, arrived_at)

    def _caller_answered(self, phone: Phone, answer: Message, arrived_at: float) -> None:
        was_up = phone.is_up
        super()._caller_answered(phone, answer, arrived_at)
        if was_up:
            return
        self._up_at[phone.call_id] = time.monotonic()
        dies = self._kinds[phone.call_id] == _DIES
        self.later(_DIES_AFTER_S if dies else _TALK_S, partial(self._die if dies else self._hang_up, phone))

    def _hang_up(self, phone: Phone) -> None:
        kind = self._kinds[phone.call_id]
        share = phone.stream.received / (50 * (time.monotonic() - self._up_at[phone.call_id]))
        del self._up_at[phone.call_id]
        if phone.is_over:
            self.lost[f"{kind}: ended by the service"] += 1
        elif share < _HEARD:
            self.lost[f"{kind}: heard little"] += 1
        else:
            self.served[kind] += 1
        if not phone.is_over:
            self._send(phone, "BYE")

    def _die(self, phone: Phone) -> None:
        """Send and answer nothing any more; the ports stay, as a machine without power sends no ICMP either."""
        self.served[_DIES] += 1
        self._dead.add(phone.call_id)
        self.wheel.remove(phone.stream)

    def _asked(self, request: Message, at: socket, source: Address, arrived_at: float) -> None:
        if request.first("call-id") not in self._dead:
            super()._asked(request, at, source, arrived_at)

    def _rung(self, invite: Message, source: Address, arrived_at: float) -> None:
        super()._rung(invite, source, arrived_at)
        self.phones[invite.first("call-id")].is_leaving = True

    def sweep(self, now: float) -> None:
        """Forget the phones of calls that are long over."""
        for phone in [*self.phones.values()]:
            is_old = bool(phone.invited_at) and now - phone.invited_at > 2 * _CALM_S
            if is_old or (phone.is_over and phone.call_id not in self._up_at):
                self._over(phone)
                self._dead.discard(phone.call_id)
                self._kinds.pop(phone.call_id, None)
                self._up_at.pop(phone.call_id, None)
                del self.phones[phone.call_id]


@dataclass(frozen=True)
class Sample:
    """How it stood at one moment of the run."""

    at_s: float
    calls: int  # placed until then
    lines: dict[str, int]
    of: dict[str, Resources]  # by role: node, lines, redis

    def told(self) -> str:
        """Return one line of the table."""
        memory = "  ".join(f"{role} {used.pss_mb:6.1f} MB {used.descriptors:5d} fd" for role, used in self.of.items())
        lines = " ".join(f"{name} {self.lines[name]}" for name in ("total", "free", "in_use", "died"))
        return f"{self.at_s:6.0f} s  {self.calls:5d} calls  {memory}  lines {lines}"


class Soak:
    """One run against one service."""

    def __init__(self, phones: SoakPhones, service: Service, minutes: float, per_s: float, seed: int) -> None:
        self.phones, self._service = phones, service
        self.ends_s, self._per_s = minutes * 60, per_s
        self._luck = random.Random(seed)
        self.samples: list[Sample] = []
        self._numbers = itertools.count()
        self._begun = time.monotonic()
        self._is_over = threading.Event()

    def run(self) -> None:
        """Place calls for as long as wanted, then wait until all is calm."""
        watcher = threading.Thread(target=self._watch, name="samples", daemon=True)
        watcher.start()
        self._next_call()
        poll, phones = select.epoll(), self.phones
        sockets = {each.fileno(): each for each in (phones.callers, phones.trunk)}
        for descriptor in sockets:
            poll.register(descriptor, select.EPOLLIN)
        swept = now = time.monotonic()
        while now - self._begun < self.ends_s + _CALM_S:
            for descriptor, _ in poll.poll(max(0.0, min(phones.wheel.next_at - now, _LONGEST_SLEEP_S))):
                phones.read(sockets[descriptor])
            now = time.monotonic()
            phones.run_due(now)
            phones.wheel.turn(now)
            if now - swept > 1.0:
                phones.sweep(time.time())
                swept = now
        self._is_over.set()
        watcher.join(_SAMPLE_EVERY_S)
        self.samples.append(self._sample())

    def _next_call(self) -> None:
        if time.monotonic() - self._begun >= self.ends_s:
            return
        place = next(self._numbers)
        kind = kind_of(self._luck)
        self.phones.ring(self._service.sip_port, f"139{place:08}", "234"[place % 3], kind)
        due_s = self._begun + (place + 1) / self._per_s
        self.phones.later(max(0.0, due_s - time.monotonic()), self._next_call)

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_EVERY_S):
            self.samples.append(self._sample())
            print(self.samples[-1].told(), file=sys.stderr, flush=True)

    def _sample(self) -> Sample:
        lines = self._service.ask("status")["lines"]
        counted = {name: int(lines[name]) for name in ("total", "free", "in_use", "died")}
        at_s = time.monotonic() - self._begun
        return Sample(at_s, sum(self.phones.placed.values()), counted, resources(self._service.pid))


def judged(soak: Soak) -> tuple[list[str], bool]:
    """Return the closing lines, and whether every good caller was served and all came back."""
    phones, samples = soak.phones, soak.samples
    loaded = [sample for sample in samples if sample.at_s <= soak.ends_s]
    first, late, last = loaded[len(loaded) // 5], loaded[-1], samples[-1]
    told = ["", f"{'':24}placed served", *(
        f"{kind:24}{phones.placed[kind]:6d} {phones.served[kind]:6d}" for kind in (_GOOD, _GBK, _DIES, _UNCONFIRMED)
    )]  # fmt: skip
    told += [f"  lost  {count} × {why}" for why, count in phones.lost.most_common()]
    told.append(f"{'':6}at {first.at_s / 60:.1f} → {late.at_s / 60:.1f} min of calls → when all is calm")
    thousands = max(1, late.calls - first.calls) / 1000
    for role in last.of:
        three = [sample.of[role] for sample in (first, late, last)]
        memory, opened, processes = (
            " → ".join(f"{getattr(each, name):.0f}" for each in three)
            for name in ("pss_mb", "descriptors", "processes")
        )
        grown_mb = (three[1].pss_mb - three[0].pss_mb) / thousands
        told.append(f"{role:6}memory {memory} MB ({grown_mb:+.2f} MB in 1000 calls), descriptors {opened}, "
                    f"processes {processes}")  # fmt: skip
    good_lost = sum(phones.placed[kind] - phones.served[kind] for kind in (_GOOD, _GBK))  # unanswered ones, too
    told.append(f"good callers lost: {good_lost}; lines in use at the end: {last.lines['in_use']}, "
                f"died: {last.lines['died']}")  # fmt: skip
    return told, good_lost == 0 and last.lines["in_use"] == 0 and last.lines["died"] == samples[0].lines["died"]


def main() -> int:
    """Return 0 when no good caller was lost and every line came back, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--per-s", type=float, default=3.0, help="calls begun a second (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    phones = SoakPhones()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        changes = LoadSite(_AT_ONCE).changes(folder, round(_AT_ONCE * 1.2), record_calls=True)
        with Service(_SAMPLE, folder, phones.trunk_port, MORNING, changes) as service:
            soak = Soak(phones, service, options.minutes, options.per_s, options.seed)
            gc.freeze()
            soak.run()
    told, is_clean = judged(soak)
    print("\n".join([*(sample.told() for sample in soak.samples), *told]))
    return 0 if is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
