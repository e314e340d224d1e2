"""Admission: who may begin a call through the door, in from a trunk or out from a line."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from config.settings import SipSettings, Trunk
from ivr.door import forwarding
from ivr.door.bounds import CallBounds, Caller
from ivr.door.dialogs import LINGER_S, Dialog, DialogState, contact_uri
from ivr.door.farewell import Farewell
from ivr.door.own_answers import ACCEPT, accepts_sdp
from ivr.door.relay import Premises, Relay
from ivr.door.waiting_room import WaitingRoom
from ivr.sip.answers import Header
from ivr.sip.caller_number import caller_numbers
from ivr.sip.fields import BadMessage, user_part, written
from ivr.sip.message import SipMessage
from ivr.sip.sdp import NoUsableAudio, UnknownBody
from ivr.sip.sockets import Hop

MAX_REFUSALS = 2000
MUTE_S = 2.0  # a line says 100 within some milliseconds


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call that came in: who rings, what was dialled, and through whom.

    `caller_numbers` is all that its headers say of the caller, the best first; `is_caller_trusted` says whether the
    trunk answers for the number it shows, `is_caller_hidden` whether it is to be shown to nobody (RFC 3323).
    """

    sip_call_id: str
    caller: str
    called: str
    source: str
    trunk: str
    caller_numbers: tuple[str, ...] = ()
    is_caller_trusted: bool = True
    is_caller_hidden: bool = False


class SlotForCaller(Protocol):
    """The place on a line that a call gets."""

    @property
    def sip_port(self) -> int: ...
    def expect(self, sip_call_id: str) -> None: ...
    def refused(self, sip_call_id: str, sip_status: int) -> None: ...
    def release(self) -> None: ...
    def give_up(self) -> None: ...


class Lines(Protocol):
    """Where free lines come from. `is_line(sip_port)`, if there is one, tells whether a loopback port is a line's."""

    @property
    def is_growing(self) -> bool:
        """Whether a line is on its way, so that it is worth waiting for."""
        ...

    def take(self) -> SlotForCaller | None: ...


class Admission:
    """Takes a line for each new call in, and opens the way for each new call out."""

    def __init__(
        self, sip: SipSettings, lines: Lines, premises: Premises, relay: Relay, farewell: Farewell, *,
        on_call: Callable[[Any, IncomingCall], None], reactor: Any, bounds: CallBounds,
    ) -> None:  # fmt: skip
        self._sip, self._lines, self._premises, self._relay = sip, lines, premises, relay
        self._on_call, self._seconds, self._later = on_call, reactor.seconds, reactor.callLater
        self._farewell, self._bounds = farewell, bounds
        self._looks: dict[tuple[bytes, bytes], Any] = {}
        self.is_draining = False  # nobody is let in any more
        self._room = WaitingRoom(reactor, premises, self._turn_away)
        self._refused: OrderedDict[tuple[bytes, bytes, bytes], tuple[float, bytes]] = OrderedDict()
        self._transports = {trunk.address: trunk.transport for trunk in sip.trunks}

    def invite(self, message: SipMessage, source: Hop, trunk: Trunk) -> None:
        """Admit, refuse or pass again an INVITE without To-tag (source stamped)."""
        here = self._premises
        earlier = here.table.get(message.call_id, message.from_tag)
        if earlier is not None and self._is_again(message, earlier) and earlier.is_incoming:
            here.counters.count("retransmitted")
            self._relay.request_to_line(message, earlier)
        elif earlier is not None and not self._may_replace(message, earlier):
            here.counters.count("rejected_loop", source=source.host)
            here.refuse(message, 482)  # RFC 3261 8.2.2.2: merged, or our own call come back
        elif self._room.holds(message):
            here.counters.count("retransmitted")
        elif not self._was_refused(message):
            self._admit(message, source, trunk)

    def cancel(self, message: SipMessage) -> bool:
        """Take a CANCEL of an INVITE that waits for a line; False if none does."""
        return self._room.cancel(message)

    @property
    def waiting(self) -> int:
        """How many callers wait for a line."""
        return len(self._room)

    def line_ready(self) -> None:
        """Give lines to those who wait, as far as there are any."""
        while len(self._room):
            slot = self._lines.take()
            if slot is None:
                return
            waiting = self._room.call_next()
            assert waiting is not None
            self._let_in(slot, waiting.message, waiting.source, waiting.trunk)

    def close(self) -> None:
        """Turn those away who wait."""
        self._room.close()
        for look in self._looks.values():
            look.cancel()
        self._looks.clear()

    def place(self, message: SipMessage, line_port: int) -> None:
        """Open the way out for a line's INVITE without To-tag."""
        here = self._premises
        earlier = here.table.get(message.call_id, message.from_tag)
        is_again = earlier is not None and self._is_again(message, earlier) and earlier.line_port == line_port
        if earlier is not None and not is_again and not self._may_replace(message, earlier):
            here.counters.count("rejected_loop")
            here.refuse_line(message, 482, line_port)
            return
        forwarding.pop_our_routes(message, here.addresses)
        try:
            transport, host, port = forwarding.next_hop(message)
        except BadMessage:
            here.counters.count("uri_refused", uri=message.uri.decode("utf-8", "replace"))
            here.refuse_line(message, 416, line_port)
            return
        if (host, port) in here.addresses.ours:
            here.counters.count("rejected_loop")
            here.refuse_line(message, 482, line_port)
            return
        transport = self._transports.get((host, port), transport)
        dialog = earlier if is_again else self._outgoing(message, line_port, transport, host, port)
        if dialog is None:
            here.refuse_line(message, 503, line_port)
            return
        here.counters.count("retransmitted" if is_again else "placed")
        here.resolver.lookup(
            host,
            lambda numeric_host: self._relay.send_out(
                message, dialog, Hop(transport, numeric_host, port) if numeric_host else None
            ),
        )

    def _admit(self, message: SipMessage, source: Hop, trunk: Trunk) -> None:
        if self.is_draining:
            self._turn_away(message)
            return
        refusal = self._too_much(message, trunk) or self._why_not(message)
        if refusal is not None:
            self._refuse(message, *refusal)
            return
        # those who wait already come first
        slot = self._lines.take() if not len(self._room) else None
        if slot is not None:
            self._let_in(slot, message, source, trunk)
        elif not (self._lines.is_growing and self._room.seat(message, source, trunk)):
            self._turn_away(message)

    def _too_much(self, message: SipMessage, trunk: Trunk) -> tuple[int, tuple[Header, ...]] | None:
        """Return the refusal of a call that is more than its caller or its trunk may have."""
        waiting = (Caller.of(_caller(one.message, one.trunk), one.trunk.name) for one in self._room)
        refusal = self._bounds.refusal(Caller.of(_caller(message, trunk), trunk.name), waiting)
        if refusal is None:
            return None
        status, kind = refusal
        self._premises.counters.count(kind, trunk=trunk.name)
        return status, self._retry_after() if status == 503 else ()

    def _turn_away(self, message: SipMessage) -> None:
        self._premises.counters.count("rejected_full")
        self._refuse(message, 503, self._retry_after())

    def unavailable(self) -> tuple[int, tuple[Header, ...]]:
        """Return the refusal of whoever comes while nobody is let in: another node may take the call."""
        return 503, self._retry_after()

    def _retry_after(self) -> tuple[Header, ...]:
        return ((b"Retry-After", b"%d" % self._sip.retry_after_s),)

    def _let_in(self, slot: SlotForCaller, message: SipMessage, source: Hop, trunk: Trunk) -> None:
        here = self._premises
        dialog = self._incoming(message, source, slot.sip_port)
        call = _described(message, source, trunk)
        if not here.table.add(dialog):
            slot.release()
            self._turn_away(message)
            return
        try:
            name_inside = dialog.key[0].decode()
            slot.expect(name_inside)
            dialog.on_refused = lambda sip_status: slot.refused(name_inside, sip_status)
            self._on_call(slot, call)
        except Exception as wrong:  # whatever is wrong behind the door, the caller gets an answer
            here.counters.count("failed", error=repr(wrong), exc_info=True)
            here.table.remove(dialog)
            slot.release()
            self._refuse(message, 500)
            return
        self._bounds.let_in(dialog, Caller.of(call.caller, trunk.name))
        here.counters.count("admitted")
        self._relay.request_to_line(message, dialog)
        if (earlier := self._looks.pop(dialog.key, None)) is not None:
            earlier.cancel()  # refused within these seconds, and tried anew
        self._looks[dialog.key] = self._later(MUTE_S, self._look_whether_it_speaks, dialog, slot)

    def _look_whether_it_speaks(self, dialog: Dialog, slot: SlotForCaller) -> None:
        """Answer for a line that has said nothing at all to an INVITE, and take the line back."""
        del self._looks[dialog.key]
        if dialog.has_provisional or dialog.line_is_gone or dialog.state is not DialogState.EARLY:
            return
        self._premises.counters.count("line_mute", line_port=dialog.line_port)
        self._farewell.part(dialog)
        slot.give_up()

    def _why_not(self, message: SipMessage) -> tuple[int, tuple[Header, ...]] | None:
        """Return the refusal of an INVITE that no line should see, before a line is taken for it."""
        here = self._premises
        if not accepts_sdp(message):
            here.counters.count("rejected_media", reason="it accepts no SDP")
            return 406, (ACCEPT,)
        try:
            forwarding.make_body_safe(message, is_answer=False)
        except UnknownBody as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            return 415, (ACCEPT,)
        except NoUsableAudio as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            return 488, (ACCEPT,)
        return None

    def _refuse(self, message: SipMessage, status: int, headers: tuple[Header, ...] = ()) -> None:
        """Refuse, and remember it: a copy of the INVITE under way must not be admitted after all."""
        data = self._premises.refuse(message, status, headers)
        self._refused[_transaction(message)] = (self._seconds(), data)
        if len(self._refused) > MAX_REFUSALS:
            self._refused.popitem(last=False)

    def _was_refused(self, message: SipMessage) -> bool:
        while self._refused:
            key, (at, _) = next(iter(self._refused.items()))
            if self._seconds() - at < LINGER_S:
                break
            del self._refused[key]
        refused = self._refused.get(_transaction(message))
        if refused is None:
            return False
        self._premises.counters.count("retransmitted")
        self._premises.send_back(refused[1], message)
        return True

    def _incoming(self, message: SipMessage, source: Hop, line_port: int) -> Dialog:
        return Dialog(
            message.call_id, message.from_tag, is_incoming=True, line_port=line_port, peer=source,
            invite=message.to_bytes(), invite_cseq=message.cseq, invite_branch=_branch(message),
            far_target=contact_uri(message) or b"sip:" + written(source.host, source.port),
            far_routes=tuple(forwarding.readable_routes(message)),
        )  # fmt: skip

    def _outgoing(self, message: SipMessage, line_port: int, transport: str, host: str, port: int) -> Dialog | None:
        dialog = Dialog(
            message.call_id, message.from_tag, is_incoming=False, line_port=line_port,
            peer=Hop(transport, host, port), invite=b"", invite_cseq=message.cseq,
            invite_branch=_branch(message), line_cseq=message.cseq,
            party=self._premises.shown.party(message.first(b"from") or b""), far_target=message.uri,
        )  # fmt: skip
        return dialog if self._premises.table.add(dialog) else None

    @staticmethod
    def _is_again(message: SipMessage, earlier: Dialog) -> bool:
        return earlier.invite_cseq == message.cseq and earlier.invite_branch == _branch(message)

    @staticmethod
    def _may_replace(message: SipMessage, earlier: Dialog) -> bool:
        """Tell whether an INVITE is a new try after a refusal, with credentials for example."""
        return earlier.state is DialogState.ENDED and message.cseq > earlier.invite_cseq


def _branch(message: SipMessage) -> bytes:
    return message.via.branch if message.via else b""


def _transaction(message: SipMessage) -> tuple[bytes, bytes, bytes]:
    return message.call_id, message.from_tag, _branch(message) + b" %d" % message.cseq


def _caller(message: SipMessage, trunk: Trunk) -> str:
    return next(iter(caller_numbers(message, trunk.caller_from)), "")


def _described(message: SipMessage, source: Hop, trunk: Trunk) -> IncomingCall:
    callers = caller_numbers(message, trunk.caller_from)
    return IncomingCall(
        message.call_id.decode("ascii"),
        next(iter(callers), ""),
        _user(b"<" + message.uri + b">"),
        f"{source.host}:{source.port}",
        trunk.name,
        callers,
        trunk.trusts_caller_id,
        _is_hidden(message),
    )


def _is_hidden(message: SipMessage) -> bool:
    wishes = {wish.strip().lower() for value in message.every(b"privacy") for wish in value.split(b";")}
    return bool(wishes - {b"none", b""})


def _user(value: bytes) -> str:
    try:
        return user_part(value)
    except BadMessage:
        return ""
