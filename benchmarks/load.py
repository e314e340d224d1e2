"""The load generator's process: phones that talk, told what to do by JSON lines on its standard input."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import sys
import time
from typing import Any

from benchmarks.phones import Phones

_HANG_UP_PER_S = 40
_LONGEST_SLEEP_S = 0.05


class Load:
    """Does what the other end of stdin says; each answer is one JSON line on stdout.

    begin (service_port, callers, seats, per_s) · progress · mark · measure · end · quit
    """

    def __init__(self) -> None:
        self._phones = Phones()
        self._unread = b""
        self._is_over = False
        self._marked_at = 0.0

    def run(self) -> None:
        """Serve until stdin ends."""
        phones = self._phones
        poll = select.epoll()
        sockets = {each.fileno(): each for each in (phones.callers, phones.trunk)}
        for descriptor in (0, *sockets):
            poll.register(descriptor, select.EPOLLIN)
        _tell(ready=True, trunk_port=phones.trunk_port, pid=os.getpid())
        while not self._is_over:
            now = time.monotonic()
            for descriptor, _ in poll.poll(max(0.0, min(phones.wheel.next_at - now, _LONGEST_SLEEP_S))):
                if descriptor == 0:
                    self._obey()
                else:
                    phones.read(sockets[descriptor])
            now = time.monotonic()
            phones.run_due(now)
            phones.wheel.turn(now)

    def _obey(self) -> None:
        text = os.read(0, 1 << 20)
        if not text:
            self._is_over = True
        *lines, self._unread = (self._unread + text).split(b"\n")
        for line in lines:
            order = json.loads(line)
            getattr(self, f"_{order.pop('do')}")(**order)

    # -- orders -----------------------------------------------------------------------------------------------------

    def _begin(self, service_port: int, callers: list[dict[str, str]], seats: dict[str, list[Any]],
               per_s: float) -> None:
        self._phones.forget_all()
        self._phones.expect_seats({number: (keys, by_info) for number, (keys, by_info) in seats.items()})
        self._phones.begin(service_port, callers, per_s)
        gc.collect()
        gc.freeze()
        _tell(begun=len(callers))

    def _progress(self) -> None:
        phones = list(self._phones.phones.values())
        by_role = {role: sum(phone.role == role and phone.is_up for phone in phones)
                   for role in ("caller", "seat", "specialist")}
        _tell(up=by_role, accepted=sum(phone.has_accepted and phone.is_up for phone in phones),
              troubles=[phone.trouble for phone in phones if phone.trouble])

    def _mark(self) -> None:
        """Begin to count RTP."""
        self._marked_at = time.monotonic()
        self._phones.wheel.latest_s = 0.0
        for phone in self._phones.phones.values():
            phone.received_before, phone.sent_before = phone.stream.received, phone.stream.sent
        _tell(marked=True)

    def _measure(self) -> None:
        """Tell what each leg has sent and heard since the mark, as shares of what 20 ms frames make."""
        expected = (time.monotonic() - self._marked_at) / 0.02
        heard, said = [], []
        for phone in self._phones.phones.values():
            if phone.is_up:
                heard.append(round((phone.stream.received - phone.received_before) / expected, 3))
                said.append(round((phone.stream.sent - phone.sent_before) / expected, 3))
        _tell(heard=heard, said=said, latest_s=self._phones.wheel.latest_s,
              refused=sum(phone.stream.refused for phone in self._phones.phones.values()))

    def _end(self) -> None:
        """Hang up; tell the latencies and the troubles when all is over, or after a while."""
        phones = self._phones
        phones.hang_up_all(_HANG_UP_PER_S)
        until = time.monotonic() + 10.0 + len(phones.phones) / _HANG_UP_PER_S

        def look() -> None:
            still = [phone for phone in phones.phones.values() if not phone.is_over]
            if still and time.monotonic() < until:
                phones.later(0.1, look)
                return
            _tell(ended=True, answer_s=phones.answer_s, key_info_s=phones.key_info_s,
                  key_rfc4733_s=phones.key_rfc4733_s, not_released=len(still),
                  troubles=[phone.trouble for phone in phones.phones.values() if phone.trouble])

        look()

    def _quit(self) -> None:
        self._is_over = True


def _tell(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Be the load generator; as many descriptors as this user may have, for two sockets a leg are needed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    gc.disable()
    Load().run()


if __name__ == "__main__":
    main()
