"""The load generator's telephones: callers, seats and specialists in one process, each leg with its RTP socket."""

from __future__ import annotations

import heapq
import itertools
import secrets
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from benchmarks import sip_text
from benchmarks.rtp import KEYS_TYPE, Stream, Wheel
from benchmarks.sip_text import Message

_SO_TIMESTAMPNS = 35  # not named by Python's socket module before 3.14
_BUFFER_BYTES = 4 << 20
_RINGS_S = 0.3
_CALLER_PRESSES_AFTER_S = 0.5
_SEAT_PRESSES_AFTER_S = 6.0  # the whisper to a seat is 5 s at most
_SPECIALIST_PRESSES_AFTER_S = 1.0
_BETWEEN_KEYS_S = 0.16
_CALLER, _SEAT, _SPECIALIST = "caller", "seat", "specialist"
# the specialist of seat 8001 is 7001
SPECIALIST_OF_SEAT = "7"

Address = tuple[str, int]


@dataclass
class Phone:
    """One leg of a conversation, seen from outside the service."""

    role: str
    number: str
    call_id: str
    own: str  # From or To value, with our tag
    stream: Stream
    other: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    keys: str = ""
    invited_at: float = 0.0
    pressed_at: float = 0.0
    sequence: int = 0
    is_up: bool = False
    has_accepted: bool = False
    trouble: str = ""
    is_leaving: bool = False
    is_over: bool = False
    answer: bytes = b""
    received_before: int = 0
    sent_before: int = 0


class Phones:
    """All phones of one batch of conversations; times are of the wall clock, arrivals are stamped by the kernel.

    No request is ever sent again: on loopback a lost message is a fault of one of the two sides, and counts as such.
    """

    def __init__(self) -> None:
        self.callers, self.trunk = _sip_socket(), _sip_socket()
        self.trunk_port: int = self.trunk.getsockname()[1]
        self.wheel = Wheel()
        self.phones: dict[str, Phone] = {}
        self.answer_s: list[float] = []
        self.key_info_s: list[float] = []
        self.key_rfc4733_s: list[float] = []
        self.wanted = 0
        self._service: Address = ("127.0.0.1", 0)
        self._seats: dict[str, Phone] = {}
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._turns = itertools.count()

    # -- the loop's part --------------------------------------------------------------------------------------------

    def later(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do something in a while."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._turns), act))

    def run_due(self, now: float) -> None:
        """Do what is due at `now` (monotonic)."""
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def read(self, from_socket: socket.socket) -> None:
        """Take in all messages that have come to one of the two SIP sockets."""
        while True:
            try:
                datagram, ancillary, _, source = from_socket.recvmsg(65535, 64)
            except BlockingIOError:
                return
            arrived_at = time.time()
            for _, kind, value in ancillary:
                if kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", value)
                    arrived_at = seconds + nanoseconds / 1e9
            try:
                message = sip_text.read(datagram)
            except (ValueError, KeyError, IndexError):
                continue
            if message.sip_status:
                self._answered(message, arrived_at)
            else:
                self._asked(message, from_socket, source, arrived_at)

    # -- callers ----------------------------------------------------------------------------------------------------

    def begin(self, service_port: int, callers: list[dict[str, str]], per_s: float) -> None:
        """Let callers ring the service, `per_s` a second; each has a `number`, and a `key` to press in the greeting."""
        self._service = ("127.0.0.1", service_port)
        self.wanted = len(callers)
        for place, caller in enumerate(callers):
            self.later(place / per_s, partial(self._call, **caller))

    def _call(self, number: str, key: str) -> None:
        port = self.callers.getsockname()[1]
        phone = self._new(_CALLER, number, secrets.token_hex(12), f"<sip:{number}@127.0.0.1:{port}>")
        phone.keys = key
        phone.other = f"<sip:12345@127.0.0.1:{self._service[1]}>"
        phone.target = sip_text.uri_of(phone.other)
        invite = self._request(phone, "INVITE", sip_text.description(phone.stream.port))
        phone.invited_at = time.time()
        self.callers.sendto(invite, self._service)

    def _new(self, role: str, number: str, call_id: str, own: str) -> Phone:
        phone = Phone(role, number, call_id, f"{own};tag={secrets.token_hex(6)}", Stream())
        self.phones[call_id] = phone
        self.wheel.add(phone.stream)
        return phone

    def _answered(self, answer: Message, arrived_at: float) -> None:
        phone = self.phones.get(answer.first("call-id"))
        if phone is None:
            return
        if answer.method == "BYE" and answer.sip_status >= 200:
            self._over(phone)
        elif answer.method == "INVITE" and answer.sip_status == 200:
            self._caller_answered(phone, answer, arrived_at)
        elif answer.method == "INVITE" and answer.sip_status >= 300:
            self._send(phone, "ACK", same_transaction=True)
            self._fail(phone, f"{phone.role} got {answer.sip_status}")

    def _caller_answered(self, phone: Phone, answer: Message, arrived_at: float) -> None:
        phone.other = answer.first("to")
        phone.target = sip_text.uri_of(answer.first("contact"))
        phone.routes = [hop.strip() for hop in ",".join(answer.headers.get("record-route", ())).split(",")][::-1]
        self._send(phone, "ACK")
        if phone.is_up:
            return
        self.answer_s.append(arrived_at - phone.invited_at)
        self._up(phone, answer)
        self.later(_CALLER_PRESSES_AFTER_S, lambda: phone.stream.press(phone.keys))

    # -- seats and specialists --------------------------------------------------------------------------------------

    def expect_seats(self, seat_keys: dict[str, tuple[str, bool]]) -> None:
        """Know the seats: the keys each presses when in the conversation, and whether by SIP INFO (else RFC 4733)."""
        self._seat_keys = seat_keys

    _seat_keys: dict[str, tuple[str, bool]] = {}  # noqa: RUF012 - replaced, never changed

    def _asked(self, request: Message, at: socket.socket, source: Address, arrived_at: float) -> None:
        phone = self.phones.get(request.first("call-id"))
        if request.method == "INVITE" and phone is None:
            self._rung(request, source, arrived_at)
        elif request.method == "INVITE" and phone is not None and phone.answer:
            at.sendto(phone.answer, source)
        elif request.method == "ACK":
            if phone is not None and not phone.is_up and phone.answer and not phone.is_over:
                self._callee_up(phone)
        else:
            at.sendto(sip_text.reply(request, 200), source)
            if phone is not None and request.method in ("BYE", "CANCEL"):
                if not phone.is_leaving:
                    self._fail(phone, f"{phone.role} got {request.method}")
                self._over(phone)

    def _rung(self, invite: Message, source: Address, arrived_at: float) -> None:
        role = _SEAT if invite.number in self._seat_keys else _SPECIALIST
        phone = self._new(role, invite.number, invite.first("call-id"), invite.first("to"))
        phone.other = invite.first("from")
        phone.target = sip_text.uri_of(invite.first("contact"))
        phone.routes = [hop.strip() for hop in ",".join(invite.headers.get("record-route", ())).split(",")]
        if role == _SEAT:
            self._seats[invite.number] = phone
        else:
            self._note_key_time(invite.number, arrived_at)
        tag = phone.own.rpartition("tag=")[2]
        self.trunk.sendto(sip_text.reply(invite, 180, tag, self._contact(phone)), source)

        def pick_up() -> None:
            if not phone.is_over:
                body = sip_text.description(phone.stream.port, invite.sound[2] if invite.sound else KEYS_TYPE)
                phone.answer = sip_text.reply(invite, 200, tag, self._contact(phone), body)
                self._connect(phone, invite)
                self.trunk.sendto(phone.answer, source)

        self.later(_RINGS_S, pick_up)

    def _note_key_time(self, number: str, arrived_at: float) -> None:
        """A specialist is rung: if it is a seat's, its last key was the reason."""
        for seat in self._seats.values():
            if SPECIALIST_OF_SEAT + seat.number[1:] == number and not seat.is_leaving:
                by_info = self._seat_keys[seat.number][1]
                pressed_at = seat.pressed_at if by_info else seat.stream.key_sent_at
                (self.key_info_s if by_info else self.key_rfc4733_s).append(arrived_at - pressed_at)

    def _contact(self, phone: Phone) -> str:
        port = (self.callers if phone.role == _CALLER else self.trunk).getsockname()[1]
        return f"sip:{phone.number}@127.0.0.1:{port}"

    def _callee_up(self, phone: Phone) -> None:
        self._up(phone, None)
        if phone.role == _SPECIALIST:
            self.later(_SPECIALIST_PRESSES_AFTER_S, lambda: self._accept(phone))
            return
        keys, by_info = self._seat_keys[phone.number]
        if by_info:
            self.later(_SEAT_PRESSES_AFTER_S, lambda: self._press_by_info(phone, keys))
        else:
            self.later(_SEAT_PRESSES_AFTER_S, lambda: phone.stream.press(keys))

    def _accept(self, phone: Phone) -> None:
        phone.has_accepted = True
        self._press_by_info(phone, "1")

    def _press_by_info(self, phone: Phone, keys: str) -> None:
        if phone.is_over or not keys:
            return
        body = f"Signal={keys[0]}\r\nDuration=100\r\n"
        phone.pressed_at = self._send(phone, "INFO", body, "application/dtmf-relay")
        self.later(_BETWEEN_KEYS_S, lambda: self._press_by_info(phone, keys[1:]))

    # -- all phones -------------------------------------------------------------------------------------------------

    def _up(self, phone: Phone, answer: Message | None) -> None:
        if answer is not None:
            self._connect(phone, answer)
        phone.is_up = True

    def _connect(self, phone: Phone, message: Message) -> None:
        sound = message.sound
        if sound is None:
            self._fail(phone, "no sound was described")
        else:
            phone.stream.connect(*sound)

    def _fail(self, phone: Phone, trouble: str) -> None:
        phone.trouble = phone.trouble or trouble
        phone.is_over = True

    def _over(self, phone: Phone) -> None:
        phone.is_over, phone.is_up = True, False
        self.wheel.remove(phone.stream)
        phone.stream.close()

    def _request(self, phone: Phone, method: str, body: str = "", content_type: str = "application/sdp",
                 same_transaction: bool = False) -> bytes:
        port = (self.callers if phone.role == _CALLER else self.trunk).getsockname()[1]
        if method != "ACK":
            phone.sequence += 1
        branch = f"{phone.call_id}{phone.sequence}" + ("ack" if method == "ACK" and not same_transaction else "")
        headers = [
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch}",
            f"From: {phone.own}", f"To: {phone.other}", f"Call-ID: {phone.call_id}",
            f"CSeq: {phone.sequence} {method}", f"Contact: <{self._contact(phone)}>",
            *(f"Route: {hop}" for hop in phone.routes if hop),
        ]  # fmt: skip
        return sip_text.request(method, phone.target, headers, body, content_type)

    def _send(self, phone: Phone, method: str, body: str = "", content_type: str = "application/sdp",
              same_transaction: bool = False) -> float:
        """Send a request; return when."""
        message = self._request(phone, method, body, content_type, same_transaction)
        sent_at = time.time()
        (self.callers if phone.role == _CALLER else self.trunk).sendto(message, self._service)
        return sent_at

    def hang_up_all(self, per_s: float) -> None:
        """Let callers and seats hang up one after the other; the service then lets the specialists go.

        A seat and a specialist would talk on without the caller.
        """
        for phone in self.phones.values():
            phone.is_leaving = True
        leaving = [phone for phone in self.phones.values() if phone.role != _SPECIALIST and phone.is_up]
        for place, phone in enumerate(sorted(leaving, key=lambda phone: phone.role)):
            self.later(place / per_s, partial(self._send, phone, "BYE"))

    def forget_all(self) -> None:
        """Close every leg, to begin anew."""
        for phone in self.phones.values():
            self._over(phone)
        self.phones.clear()
        self._seats.clear()
        self._timers.clear()
        self.answer_s, self.key_info_s, self.key_rfc4733_s = [], [], []


def _sip_socket() -> socket.socket:
    sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sip.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sip.bind(("127.0.0.1", 0))
    sip.setblocking(False)
    return sip
