"""The door: the only SIP socket the network sees; it sorts what arrives and lets through what belongs here."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.task import LoopingCall

from config.bounds import BoundSettings
from config.settings import SipSettings, Trunk
from ivr.door.admission import Admission, IncomingCall, Lines
from ivr.door.bounds import CallBounds
from ivr.door.counters import Counters
from ivr.door.dialog_book import DialogBook
from ivr.door.dialogs import DialogState, DialogTable
from ivr.door.farewell import Farewell
from ivr.door.forwarding import INNER_HOST, Addresses
from ivr.door.from_line import FromLine
from ivr.door.from_network import FromNetwork
from ivr.door.outward import Shown
from ivr.door.own_requests import OwnRequests
from ivr.door.registration import Registration
from ivr.door.relay import Premises, Relay
from ivr.door.resolver import Resolver
from ivr.door.trunk_health import TrunkHealth
from ivr.sip.fields import BadMessage, host_port, written
from ivr.sip.message import SipMessage, read
from ivr.sip.sockets import Hop, Sockets, is_numeric

__all__ = ["Door", "IncomingCall"]

log = structlog.get_logger()

SWEEP_S = 5.0
LOOK_FOR_ACK_EVERY_S = 1.0
_NEW_INVITE = re.compile(rb"INVITE (?!.*?\r?\n(?:To|t)[ \t]*:[^\r\n]*;[ \t]*tag=)", re.DOTALL | re.IGNORECASE)
MAX_KNOWN_SOURCES = 4096


class Door:
    """SIP to and from the network on one address (UDP, TCP), and to and from the lines on loopback (UDP).

    `lines.take()` gives a slot for each new call; `on_call(slot, incoming)` is called before the INVITE reaches the
    line. `book` is where answered dialogs are written, for the node after this one if it is killed.
    """

    def __init__(
        self, sip: SipSettings, lines: Lines, reactor: Any, on_call: Callable[[Any, IncomingCall], None],
        counters: dict[str, int] | None = None, *, bounds: BoundSettings | None = None, line_count: int = 0,
        book: Path | None = None,
    ) -> None:  # fmt: skip
        self._sip, self._lines, self._reactor = sip, lines, reactor
        self.counters: dict[str, int] = {} if counters is None else counters
        bounds = bounds or BoundSettings()
        sockets = Sockets(reactor, self, sip.max_message_bytes, bounds.connections_per_source)
        self._premises = here = Premises(
            sockets, DialogTable(reactor.seconds), Resolver(reactor), OwnRequests(reactor, sockets),
            Counters(self.counters, reactor.seconds), secrets.token_bytes(32),
        )  # fmt: skip
        self._relay = Relay(here)
        self._farewell = Farewell(reactor, here, self._relay)
        self._bounds = CallBounds(bounds, sip.trunks, line_count, reactor.seconds)
        self._admission = Admission(
            sip, lines, here, self._relay, self._farewell, on_call=on_call, reactor=reactor, bounds=self._bounds
        )
        self._from_network = FromNetwork(here, self._relay, self._farewell, self._admission)
        self._from_line = FromLine(here, self._relay, self._admission)
        self.on_trunk_changed: Callable[[], None] = lambda: None
        self._health = TrunkHealth(sip.trunks, reactor.seconds, self._trunk_changed)
        here.note_answer_to_call = self._health.note
        self._registrations = [
            Registration(trunk, reactor, here, self._trunk_changed) for trunk in sip.trunks if trunk.registers
        ]
        self._sweep = LoopingCall(self._premises.table.sweep)
        self._sweep.clock = reactor
        self._confirming = LoopingCall(self._end_unconfirmed)
        self._confirming.clock = reactor
        self._book = DialogBook(book) if book is not None else None
        if self._book is not None:
            here.table.on_change = self._book.note
        self._trunks: dict[str, Trunk | None] = {}

    # -- life

    async def start(self) -> None:
        """Open the sockets and begin to register; CannotListenError if an address is taken."""
        here = self._premises
        here.sockets.listen(self._sip.host, self._sip.port, self._sip.inner_port)
        outer_port, inner_port = here.sockets.outer_port, here.sockets.inner_port
        shown_host, shown_port = host_port(self._sip.public_address or "") if self._sip.public_address else ("", 0)
        host = shown_host or _shown_host(self._sip)
        media_outside = shown_host if is_numeric(shown_host) else ""
        here.shown = Shown(host, shown_port or outer_port, self._sip.media_address, media_outside)
        here.addresses = Addresses(
            host, shown_port or outer_port, inner_port,
            frozenset(((host, shown_port or outer_port), (self._sip.host, outer_port), (INNER_HOST, inner_port))),
        )  # fmt: skip
        self._sweep.start(SWEEP_S, now=False)
        self._confirming.start(LOOK_FOR_ACK_EVERY_S, now=False)
        for registration in self._registrations:
            registration.start()
        self._end_left_behind()
        log.info("door_opened", listen=f"{self._sip.host}:{outer_port}", inner_port=inner_port)

    def _end_left_behind(self) -> None:
        if self._book is None:
            return
        self._book.begin()
        for dialog in self._book.left_behind:
            self._farewell.part_as_left(dialog)
        if self._book.left_behind:
            log.warning("dialogs_left_behind_ended", dialogs=len(self._book.left_behind))

    async def stop(self) -> None:
        """Unregister (2 s at most), say BYE for what still talks, and close the sockets."""
        here = self._premises
        if self._registrations:
            await DeferredList([registration.stop() for registration in self._registrations])
        self._admission.close()
        for line_port in {dialog.line_port for dialog in here.table if not dialog.line_is_gone}:
            self.line_died(line_port)
        for looping in (self._sweep, self._confirming):
            if looping.running:
                looping.stop()
        here.own.forget_all()
        self._farewell.stop()
        await DeferredList([maybeDeferred(stop) for stop in here.sockets.close()])
        if self._book is not None:
            self._book.close()
        log.info("door_closed")

    @property
    def inner_uri(self) -> str:
        """The outbound proxy of the lines, known once started: `sip:127.0.0.1:PORT;lr`."""
        return self._premises.addresses.inner_uri

    @property
    def port(self) -> int:
        """The public port, known once started."""
        return self._premises.sockets.outer_port

    def line_died(self, sip_port: int) -> None:
        """End every dialog of the line that had this port: BYE, 500 or CANCEL toward the outside party."""
        for dialog in self._premises.table.of_line(sip_port):
            try:
                self._farewell.part(dialog)
            except Exception as wrong:  # the others must still hear of it
                self._premises.counters.count("failed", error=repr(wrong), exc_info=True)

    def drain(self) -> None:
        """Let nobody in any more, and say so to whoever asks; calls go on."""
        self._admission.is_draining = True
        self._admission.close()

    def line_ready(self) -> None:
        """Let a call that waits for a line have it: one has become free."""
        self._admission.line_ready()

    @property
    def waiting_for_line(self) -> int:
        """How many callers wait for a line, two seconds at most."""
        return self._admission.waiting

    def trunks(self) -> dict[str, Any]:
        """Return how each trunk stands: its registration, {} for one that wants none, and whether it is at fault."""
        registered = {registration.name: registration.status() for registration in self._registrations}
        names = [trunk.name for trunk in self._sip.trunks]
        return {name: {**registered.get(name, {}), **self._health.of(name)} for name in names}

    def _trunk_changed(self) -> None:
        self.on_trunk_changed()

    def status(self) -> dict[str, Any]:
        """Return what an operator asks of the door."""
        here = self._premises
        dialogs = {state.value: 0 for state in DialogState}
        for dialog in here.table:
            dialogs[dialog.state.value] += 1
        return {
            "listen": written(self._sip.host, here.sockets.outer_port).decode(),
            "shown": written(here.addresses.outer_host, here.addresses.outer_port).decode(),
            "inner_uri": self.inner_uri,
            "dialogs": dialogs,
            "streams": len(here.sockets.streams),
            "registrations": {registration.name: registration.status() for registration in self._registrations},
            "counters": dict(self.counters),
        }

    # -- what the sockets hear

    def may_connect(self, host: str) -> bool:
        """Tell whether a TCP connection from `host` is taken."""
        if self._trunk_of(host) is not None or self._premises.table.knows_host(host):
            return True
        self._premises.counters.count("foreign_source", source=host, transport="tcp")
        return False

    def is_in_use(self, peer: Hop) -> bool:
        """Tell whether a call that lives came, or went out, over the connection with a peer."""
        return any(dialog.peer == peer and dialog.state is not DialogState.ENDED for dialog in self._premises.table)

    def broken_stream(self, source: Hop, kind: str) -> None:
        """Count a stream that was closed for what it sent."""
        self._premises.counters.count(kind, source=source.host, transport="tcp")

    def from_network(self, data: bytes, source: Hop) -> None:
        """Sort one message from the network."""
        here = self._premises
        trunk = self._trunk_of(source.host)
        if trunk is None and not here.table.knows_host(source.host) and not here.own.expects(source.host):
            here.counters.count("foreign_source", source=source.host)
            return
        if trunk is not None and self._is_flood(data, source, trunk):
            return
        if len(data) > self._sip.max_message_bytes:
            self.oversize(data, source)
            return
        message = self._read(data, source)
        if message is None:
            return
        with self._nothing_escapes(source):
            if not message.status:
                self._from_network.request(message, source, trunk)
            elif self._is_to_us(message):
                self._from_network.answer(message, source, trunk)

    def oversize(self, head: bytes, source: Hop) -> None:
        """Refuse a request that is too long, of which the head at least is here."""
        here = self._premises
        here.counters.count("oversize", source=source.host)
        message = self._read(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", source)
        if message is not None and not message.status:
            with self._nothing_escapes(source):
                self._from_network.refuse_unread(message, source, 513)

    def _is_flood(self, data: bytes, source: Hop, trunk: Trunk) -> bool:
        """Whether a datagram is dropped unread: one more new call of a trunk that sends them by the hundred.

        What belongs to a call is read, and so is all that comes over a stream, where nothing is sent again.
        """
        if source.transport != "udp" or _NEW_INVITE.match(data) is None or self._bounds.is_read(trunk):
            return False
        self._premises.counters.count("dropped_flood", trunk=trunk.name)
        return True

    def _end_unconfirmed(self) -> None:
        for dialog in self._bounds.unconfirmed():
            try:
                self._farewell.hang_up(dialog)
            except Exception as wrong:  # the others hold their lines all the same
                self._premises.counters.count("failed", error=repr(wrong), exc_info=True)
                self._premises.table.end(dialog)

    def from_line(self, data: bytes, host: str, port: int) -> None:
        """Sort one message from a line."""
        here = self._premises
        is_line = getattr(self._lines, "is_line", None)
        if host != INNER_HOST or (is_line is not None and not is_line(port)):
            here.counters.count("unknown_line", source=host, port=port)
            return
        source = Hop("udp", host, port)
        message = self._read(data, source)
        if message is None:
            return
        with self._nothing_escapes(source):
            if not message.status:
                self._from_line.request(message, source)
            elif self._is_to_us(message):
                self._from_line.answer(message, source)

    @contextmanager
    def _nothing_escapes(self, source: Hop) -> Iterator[None]:
        """Count what goes wrong with a message, whatever it is: bad input must not stop a socket."""
        try:
            yield
        except BadMessage as wrong:
            self._premises.counters.count("bad_message", source=f"{source.host}:{source.port}", reason=str(wrong))
        except Exception as wrong:
            self._premises.counters.count("failed", error=repr(wrong), exc_info=True)

    def _is_to_us(self, message: SipMessage) -> bool:
        """Tell whether the door sent the request that `message` answers (RFC 3261 16.7)."""
        if message.via is not None and self._premises.addresses.is_ours(message.via):
            return True
        self._premises.counters.count("bad_message", reason="the top Via of an answer is not ours")
        return False

    def _read(self, data: bytes, source: Hop) -> SipMessage | None:
        """Return the message in `data`; None for a keep-alive, and for what is too long or cannot be read."""
        counters = self._premises.counters
        if not data.strip(b"\r\n\0"):
            return None
        try:
            message = read(data, from_stream=source.transport == "tcp")
        except BadMessage as wrong:
            counters.count("bad_message", source=source.host, reason=str(wrong))
            return None
        if message.excess:
            counters.count("two_in_one", source=source.host, excess=message.excess)
        return message

    def _trunk_of(self, host: str) -> Trunk | None:
        if host not in self._trunks:
            if len(self._trunks) >= MAX_KNOWN_SOURCES:
                self._trunks.clear()
            at = ip_address(host.partition("%")[0])
            if isinstance(at, IPv6Address) and at.ipv4_mapped is not None:
                at = at.ipv4_mapped
            allowed = (trunk for trunk in self._sip.trunks if any(at in network for network in trunk.allow))
            self._trunks[host] = next(allowed, None)
        return self._trunks[host]


def _shown_host(sip: SipSettings) -> str:
    """Return the address to show when listening on all: the one packets to the first trunk would leave from."""
    if sip.host not in ("0.0.0.0", "::"):
        return sip.host
    toward = sip.trunks[0].address[0] if sip.trunks and is_numeric(sip.trunks[0].address[0]) else "192.0.2.1"
    with socket.socket(socket.AF_INET6 if ":" in toward else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((toward, 9))  # a datagram socket: nothing is sent
        except OSError:
            return INNER_HOST
        return str(probe.getsockname()[0])
