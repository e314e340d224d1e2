"""Mutations over the sockets of a running service, with a good call every fifty: nobody is silent, no line dies."""

from __future__ import annotations

import random
import re
import selectors
import socket
import time
from dataclasses import dataclass, field

import psutil

from demo.service import Service
from tests.fuzz.mutator import is_answerable_invite, mutated

_ANSWER_WITHIN_S = 6.0  # a line that says nothing is answered for after two
_GOOD_EVERY = 50
_LOOKS = 5  # at the memory, evenly over a run
_MB = 1 << 20
_MUTANT, _GOOD = "13800001111", "13800002222"  # whoever has many calls at once is refused more: 486
_AT_ONCE = 6
_FINAL = re.compile(rb"SIP/2\.0 ([2-6]\d\d) ")
_HEADER = re.compile(rb"(?im)^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[^\r]*(?:\r\n[ \t][^\r]*)*")
_BUSY = 503  # all lines are in use, or rest a moment after a conversation: an answer, but for a good call no proof


@dataclass
class SocketsOutcome:
    """What a run found; `memory` is MB (PSS: what is shared counts once) by kind of process, after each fifth."""

    messages: int = 0
    invites: int = 0
    answered: dict[int, int] = field(default_factory=dict)
    silent: list[bytes] = field(default_factory=list)
    good_calls: int = 0
    good_calls_lost: int = 0
    lines_died: int = 0
    memory: list[dict[str, float]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everybody was answered, and nothing died."""
        return not (self.silent or self.good_calls_lost or self.lines_died)


class _Caller:
    """A UDP socket that sends one message, follows it to its final answer, and hangs up what was answered."""

    def __init__(self, port: int) -> None:
        self._door = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.sent = b""
        self.expects = False
        self.status = 0
        self.sent_at = 0.0
        self._byes = 0

    def plain(self, name: str, number: str = _MUTANT) -> bytes:
        """Return a good INVITE."""
        host, port = self.socket.getsockname()
        body = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8 101\r\n"
                "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n")  # fmt: skip
        lines = [
            f"INVITE sip:12345@127.0.0.1:{self._door[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{name}", f"From: <sip:{number}@{host}>;tag=t{name}",
            "To: <sip:12345@127.0.0.1>", f"Call-ID: {name}@fuzz", "CSeq: 1 INVITE", f"Contact: <sip:f@{host}:{port}>",
            "Max-Forwards: 70", "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        return "\r\n".join(lines).encode()

    def send(self, message: bytes, *, expects: bool) -> None:
        self.sent, self.expects, self.status, self.sent_at = message, expects, 0, time.monotonic()
        self.socket.sendto(message, self._door)

    @property
    def is_done(self) -> bool:
        late = time.monotonic() - self.sent_at
        return bool(self.status) or late > (_ANSWER_WITHIN_S if self.expects else 0.02)

    def hear(self) -> None:
        """Read what has come: a final answer to the INVITE is acknowledged, and a call that is up is ended."""
        while True:
            try:
                data = self.socket.recv(65536)
            except (BlockingIOError, ConnectionError):
                return
            final = _FINAL.match(data)
            if final is None or b" BYE" in _field(data, b"cseq"):
                continue
            self.status = self.status or int(final[1])
            self._answer(data, int(final[1]))

    def _answer(self, data: bytes, status: int) -> None:
        cseq = re.search(rb"\d+", _field(data, b"cseq"))
        number = int(cseq[0]) if cseq else 1
        methods = ("ACK", "BYE") if status < 300 else ("ACK",)
        for method in methods:
            self._byes += 1
            via = _field(data, b"via", b"v")
            if status < 300:  # a transaction of its own
                via = re.sub(rb"branch=[^;\s]*", b"branch=z9hG4bKb%d" % self._byes, via)
            lines = [
                b"%s sip:12345@127.0.0.1:%d SIP/2.0" % (method.encode(), self._door[1]), via,
                _field(data, b"from", b"f"), _field(data, b"to", b"t"), _field(data, b"call-id", b"i"),
                b"CSeq: %d %s" % (number + (method == "BYE"), method.encode()), b"Max-Forwards: 70",
            ]  # fmt: skip
            self.socket.sendto(b"\r\n".join([*lines, b"Content-Length: 0", b"", b""]), self._door)


def run(service: Service, count: int, seed: int) -> SocketsOutcome:
    """Send `count` mutations to a service whose trunk lets 127.0.0.1 in."""
    luck, outcome = random.Random(seed), SocketsOutcome()
    callers = [_Caller(service.sip_port) for _ in range(_AT_ONCE)]
    died = service.ask("status")["lines"]["died"]
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller.socket, selectors.EVENT_READ, caller)
        for number in range(count):
            caller = _next_free(selector, callers, outcome)
            original = caller.plain(f"{seed}x{number}")
            message = mutated(luck, original)
            caller.send(message, expects=is_answerable_invite(original, message))
            outcome.messages += 1
            outcome.invites += caller.expects
            if number % _GOOD_EVERY == _GOOD_EVERY - 1:
                _good_call(service.sip_port, f"{seed}good{number}", outcome)
            if (number + 1) * _LOOKS % count < _LOOKS:
                outcome.memory.append(_memory(service))
        end = time.monotonic() + _ANSWER_WITHIN_S + 1
        while time.monotonic() < end and not all(caller.is_done for caller in callers):
            _listen(selector)
        for caller in callers:
            _judge(caller, outcome)
            caller.socket.close()
    outcome.lines_died = service.ask("status")["lines"]["died"] - died
    return outcome


def _next_free(selector: selectors.BaseSelector, callers: list[_Caller], outcome: SocketsOutcome) -> _Caller:
    while True:
        _listen(selector)
        for caller in callers:
            if caller.is_done:
                _judge(caller, outcome)
                return caller


def _listen(selector: selectors.BaseSelector) -> None:
    for key, _ in selector.select(0.005):
        key.data.hear()


def _judge(caller: _Caller, outcome: SocketsOutcome) -> None:
    if caller.status:
        outcome.answered[caller.status] = outcome.answered.get(caller.status, 0) + 1
    elif caller.expects and caller.sent:
        outcome.silent.append(caller.sent)
    caller.sent = b""


def _good_call(port: int, name: str, outcome: SocketsOutcome) -> None:
    """Ring as anybody would; while the lines are full, again."""
    outcome.good_calls += 1
    for attempt in range(20):
        caller = _Caller(port)
        caller.send(caller.plain(f"{name}n{attempt}", _GOOD), expects=True)
        while not caller.is_done:
            time.sleep(0.002)
            caller.hear()
        caller.socket.close()
        if caller.status == 200:
            return
        if caller.status != _BUSY:
            break
        time.sleep(0.25)
    outcome.good_calls_lost += 1


def _memory(service: Service) -> dict[str, float]:
    node = psutil.Process(service.pid)
    held: dict[str, float] = {"node": node.memory_full_info().pss / _MB, "lines": 0.0, "a line": 0.0, "rest": 0.0}
    lines = 0
    for process in node.children(recursive=True):
        try:
            is_line = "ivr.line" in process.cmdline()
            held["lines" if is_line else "rest"] += process.memory_full_info().pss / _MB
            lines += is_line
        except psutil.NoSuchProcess:
            continue
    held["a line"] = held["lines"] / max(1, lines)
    return held


def _field(data: bytes, *names: bytes) -> bytes:
    for match in _HEADER.finditer(data):
        if match[1].lower() in names:
            return match[0]
    return b""


def told(outcome: SocketsOutcome, began: float) -> str:
    """Return a run in one line."""
    memory = (f"{kind} {' → '.join(f'{held[kind]:.1f}' for held in outcome.memory)}" for kind in outcome.memory[0])
    return (
        f"over sockets: {outcome.messages} mutations in {time.monotonic() - began:.0f} s, {outcome.invites} INVITEs, "
        f"answers {dict(sorted(outcome.answered.items()))}; {len(outcome.silent)} without a final answer, "
        f"{outcome.good_calls_lost} of {outcome.good_calls} good calls lost, {outcome.lines_died} lines died; memory "
        f"{', '.join(memory)} MB"
    )
