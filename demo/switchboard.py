"""A tiny SIP trunk on one UDP port of 127.0.0.1: it knows which number rings where.

A stateless proxy (RFC 3261 16.11) without Record-Route: what comes within a dialog goes straight between the ends.
It is written apart from the service's own SIP code, so that a misreading there does not pass unseen here.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field

_COOKIE = "z9hG4bK"
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 480: "Temporarily Unavailable", 486: "Busy Here",
            487: "Request Terminated", 503: "Service Unavailable", 603: "Decline"}
_REQUEST = re.compile(r"([A-Z]+) sips?:([^@;>\s]*)@?\S* SIP/2\.0$")
_LIVE_NUMBER_METHODS = ("INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "INFO", "UPDATE", "PRACK")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came to the switchboard."""

    method: str
    number: str
    source: Address
    text: str = field(repr=False)


class Switchboard:
    """Numbers, and where each rings: a phone's port, a fixed final answer, or for ever; unknown numbers get 404."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[Seen] = []
        self._ports: dict[str, Address] = {}
        self._refusals: dict[str, int] = {}
        self._ringing: dict[str, tuple[list[str], Address]] = {}  # INVITEs of dead_ring() numbers, by branch
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Switchboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, number: str, port: int, host: str = "127.0.0.1") -> None:
        """Let `number` ring at a phone (or the service, for a call in)."""
        self._refusals.pop(number, None)
        self._ports[number] = (host, port)

    def refuse(self, number: str, sip_status: int = 486) -> None:
        """Answer calls to `number` with a final status, without any phone."""
        self._ports.pop(number, None)
        self._refusals[number] = sip_status

    def dead_ring(self, number: str) -> None:
        """Let `number` ring (180) and never be answered, without any phone."""
        self.refuse(number, 180)

    def disconnect(self, number: str) -> None:
        """Forget a number; it gets 404 from now on."""
        self._ports.pop(number, None)
        self._refusals.pop(number, None)

    def uri(self, number: str) -> str:
        """Return the address of a number at this switchboard."""
        return f"sip:{number}@127.0.0.1:{self.port}"

    def count(self, method: str, number: str) -> int:
        """Return how many calls (by Call-ID, so repeated packets count once) sent `method` for `number`."""
        return len({
            _value(seen.text.split("\r\n"), "call-id", "i")
            for seen in list(self.requests) if (seen.method, seen.number) == (method, number)
        })

    def close(self) -> None:
        """Close the port."""
        self._closed = True
        # a thread that sleeps in recvfrom() is not woken by close(), but by a packet
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5.0)
        self._socket.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            try:
                packet, source = self._socket.recvfrom(65535)
            except ConnectionError:  # ICMP: a phone that is gone; whoever called it finds out by itself
                continue
            head, separator, body = packet.partition(b"\r\n\r\n")
            lines = head.decode("utf-8", "surrogateescape").split("\r\n")
            if not separator:
                continue
            if lines[0].startswith("SIP/2.0 "):
                self._pass_back(lines, separator + body)
            else:
                self._route(lines, separator + body, source)

    def _route(self, lines: list[str], rest: bytes, source: Address) -> None:
        request = _REQUEST.match(lines[0])
        if request is None:
            return
        method, number = request.groups()
        self.requests.append(Seen(method, number, source, "\r\n".join(lines)))
        target = self._ports.get(number)
        if target is not None and method in _LIVE_NUMBER_METHODS:
            self._pass_on(lines, rest, source, target)
        elif method == "OPTIONS":
            self._reply(lines, source, 200)
        elif method == "CANCEL":
            self._cancel(lines, source)
        elif method == "INVITE":
            self._refuse(lines, source, self._refusals.get(number, 404))
        elif method != "ACK":
            self._reply(lines, source, 405)

    def _pass_on(self, lines: list[str], rest: bytes, source: Address, target: Address) -> None:
        via = _find(lines, "via", "v")
        lines[via] = _received(lines[via], source)
        # the same branch for an INVITE, its CANCEL and the ACK of its refusal: RFC 3261 16.11
        branch = _COOKIE + hashlib.sha256(_branch(lines[via]).encode()).hexdigest()[:24]
        lines.insert(via, f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}")
        route = _find(lines, "route", "route")
        if route > 0 and f":{self.port}" in lines[route]:
            del lines[route]
        self._send(lines, rest, target)

    def _pass_back(self, lines: list[str], rest: bytes) -> None:
        own = _find(lines, "via", "v")
        if own < 0 or f"127.0.0.1:{self.port}" not in lines[own]:
            return
        del lines[own]
        before = _find(lines, "via", "v")
        if before > 0:
            self._send(lines, rest, _reply_address(lines[before]))

    def _refuse(self, lines: list[str], source: Address, sip_status: int) -> None:
        if sip_status == 180:
            self._ringing[_branch(lines[_find(lines, "via", "v")])] = (lines, source)
        self._reply(lines, source, sip_status)

    def _cancel(self, lines: list[str], source: Address) -> None:
        self._reply(lines, source, 200)
        ringing = self._ringing.pop(_branch(lines[_find(lines, "via", "v")]), None)
        if ringing is not None:
            self._reply(*ringing, 487)

    def _reply(self, request: list[str], source: Address, sip_status: int) -> None:
        reply = [f"SIP/2.0 {sip_status} {_REASONS.get(sip_status, 'Ringing' if sip_status == 180 else 'Refused')}"]
        top_via = _find(request, "via", "v")
        for at, line in enumerate(request[1:], 1):
            name = line.partition(":")[0].strip().lower()
            if name in ("via", "v"):
                reply.append(_received(line, source) if at == top_via else line)
            elif name in ("to", "t"):
                reply.append(line if ";tag=" in line else f"{line};tag=switchboard")
            elif name in ("from", "f", "call-id", "i", "cseq"):
                reply.append(line)
        self._send([*reply, "Content-Length: 0"], b"\r\n\r\n", source)

    def _send(self, lines: list[str], rest: bytes, target: Address) -> None:
        self._socket.sendto("\r\n".join(lines).encode("utf-8", "surrogateescape") + rest, target)


def _find(lines: list[str], *names: str) -> int:
    """Return the place of the first header of these names; -1 if there is none."""
    for at, line in enumerate(lines[1:], 1):
        if line.partition(":")[0].strip().lower() in names:
            return at
    return -1


def _value(lines: list[str], *names: str) -> str:
    at = _find(lines, *names)
    return lines[at].partition(":")[2].strip() if at > 0 else ""


def _branch(via: str) -> str:
    match = re.search(r";\s*branch=([^;,\s]+)", via)
    return match.group(1) if match else via


def _received(via: str, source: Address) -> str:
    """Return the Via with the address the packet came from (RFC 3581)."""
    first, comma, others = via.partition(",")
    first = re.sub(r";\s*rport(?=;|$)", "", first)
    return f"{first};received={source[0]};rport={source[1]}{comma}{others}"


def _reply_address(via: str) -> Address:
    first = via.partition(",")[0]
    received = re.search(r";\s*received=([^;\s]+)", first)
    rport = re.search(r";\s*rport=(\d+)", first)
    sent_by = re.search(r"SIP/2\.0/\w+\s+([^;:\s]+)(?::(\d+))?", first)
    host = received.group(1) if received else sent_by.group(1) if sent_by else "127.0.0.1"
    port = rport.group(1) if rport else (sent_by.group(2) if sent_by else None) or "5060"
    return host, int(port)
