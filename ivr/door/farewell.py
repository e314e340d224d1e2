"""What the door says in place of a line, so that no caller is left in silence and no line is held (RFC 3261 9, 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall

from ivr.door import inward
from ivr.door.dialogs import Dialog, DialogState, Talk, contact_uri
from ivr.door.forwarding import routes_beyond
from ivr.door.own_requests import GIVE_UP_S, T1_S, T2_S
from ivr.door.relay import Premises, Relay
from ivr.sip.alias import tag_alias
from ivr.sip.answers import after_invite, answer, new_branch, own_tag, request
from ivr.sip.fields import MAGIC_COOKIE, via
from ivr.sip.message import SipMessage, read
from ivr.sip.sockets import Hop


class Farewell:
    """Ends the dialogs of dead lines: BYE to who talks, 500 to who waits, CANCEL to who is rung.

    And those of callers who never confirmed that they were answered.
    """

    def __init__(self, reactor: Any, premises: Premises, relay: Relay) -> None:
        self._reactor, self._premises, self._relay = reactor, premises, relay
        self._refusals: dict[tuple[bytes, bytes], _Refusal] = {}

    def part(self, dialog: Dialog) -> None:
        """End `dialog`, whose line has died; it lingers until the outside party has understood."""
        here = self._premises
        was = dialog.state
        here.table.detach(dialog)
        if was is DialogState.ENDED:
            return
        if was is DialogState.CONFIRMED:
            for talk in dialog.talks.values():
                self._bye(dialog, talk)
            here.table.end(dialog)
        elif dialog.is_incoming:
            self._refuse(dialog)
            here.table.end(dialog)
        elif dialog.has_provisional:
            self._cancel(dialog)

    def request(self, message: SipMessage, dialog: Dialog) -> None:
        """Deal with a request (source stamped) of an outside party whose line has died."""
        here = self._premises
        refusal = self._refusals.get(dialog.key)
        if message.method == "ACK":
            if refusal is not None:
                self._understood(dialog)
        elif message.method == "INVITE" and not message.to_tag and refusal is not None:
            here.send_back(refusal.message, message)
        else:
            here.refuse(message, 200 if message.method in ("BYE", "CANCEL") else 481)

    def answer(self, message: SipMessage, dialog: Dialog) -> None:
        """Deal with an answer to an INVITE of a line that has died."""
        here = self._premises
        if message.cseq_method != "INVITE" or dialog.is_incoming or not dialog.invite:
            return
        if message.status < 200:
            if not dialog.has_provisional:
                dialog.has_provisional = True
                self._cancel(dialog)
        elif message.status < 300:
            near, far = message.first(b"from") or b"", message.first(b"to") or b""
            talk = dialog.talks.get(tag_alias(message.to_tag)) or Talk(near, far, b"", ())
            talk.target = contact_uri(message) or talk.target
            talk.routes, talk.is_answered = routes_beyond(message), True
            dialog.talks[tag_alias(message.to_tag)] = talk
            self._ack(dialog, talk)
            self._bye(dialog, talk)  # once: a repeated 200 gets its ACK only
            here.table.end(dialog)
        else:
            here.sockets.send(after_invite("ACK", read(dialog.invite), message.first(b"to") or b""), dialog.peer)
            here.table.end(dialog)

    def stop(self) -> None:
        """Stop all repeating."""
        for refusal in self._refusals.values():
            refusal.stop()
        self._refusals.clear()

    def hang_up(self, dialog: Dialog) -> None:
        """End a call that came in, was answered and never confirmed (RFC 3261 13.3.1.4), on both sides."""
        for line_tag, talk in dialog.talks.items():
            if talk.is_answered and not talk.has_ended:
                self._bye_to_line(dialog, line_tag)
                self._bye(dialog, talk, "unconfirmed_ended")
        self._premises.table.end(dialog)

    def part_as_left(self, dialog: Dialog) -> None:
        """Say BYE in a dialog that a node before us has left behind, when it was killed."""
        for talk in dialog.talks.values():
            self._bye(dialog, talk, "left_behind_ended")
        dialog.state = DialogState.ENDED

    def _bye_to_line(self, dialog: Dialog, line_tag: bytes) -> None:
        """Say BYE in the caller's name: a line may not hang up by itself before its answer is confirmed."""
        here = self._premises
        data = inward.bye(
            dialog.key, line_tag, dialog.invite_cseq + 1,
            branch=new_branch(), line_port=dialog.line_port, inner_port=here.addresses.inner_port,
        )  # fmt: skip
        here.sockets.send_to_line(data, dialog.line_port)

    def _bye(self, dialog: Dialog, talk: Talk, kind: str = "line_died_byes") -> None:
        if not talk.is_answered or talk.has_ended:
            return
        talk.has_ended = True
        dialog.line_cseq = cseq = max(dialog.line_cseq, 0 if dialog.is_incoming else dialog.invite_cseq) + 1
        self._premises.counters.count(kind, call_id=dialog.call_id.decode("ascii", "replace"))
        self._in_dialog("BYE", dialog, talk, cseq)

    def _ack(self, dialog: Dialog, talk: Talk) -> None:
        self._in_dialog("ACK", dialog, talk, dialog.invite_cseq)

    def _in_dialog(self, method: str, dialog: Dialog, talk: Talk, cseq: int) -> None:
        here = self._premises

        def send(hop: Hop | None) -> None:
            if hop is None:
                here.counters.count("unreachable", method=method)
                return
            branch = new_branch()
            headers = [
                (b"Via", here.addresses.via(hop.transport, branch)),
                (b"From", talk.near),
                (b"To", talk.far),
            ]
            data = request(method, talk.target, headers, call_id=dialog.call_id, cseq=cseq, routes=talk.routes)
            here.table.allow_host(dialog, hop.host)
            if method == "ACK":
                here.sockets.send(data, hop)
            else:
                here.own.send(data, branch, method, hop, lambda _answer: None)

        self._relay.reach(talk.routes[0] if talk.routes else None, talk.target, dialog, send)

    def _cancel(self, dialog: Dialog) -> None:
        if not dialog.invite:
            return
        self._premises.counters.count("line_died_cancels", call_id=dialog.call_id.decode("ascii", "replace"))
        invite = read(dialog.invite)
        branch = invite.via.branch if invite.via else MAGIC_COOKIE
        self._premises.own.send(after_invite("CANCEL", invite), branch, "CANCEL", dialog.peer, lambda _answer: None)

    def _refuse(self, dialog: Dialog) -> None:
        """Answer the INVITE with 500, again and again until the ACK (RFC 3261 17.2.1, timers G and H)."""
        here = self._premises
        here.counters.count("line_died_refusals", call_id=dialog.call_id.decode("ascii", "replace"))
        invite = read(dialog.invite)
        tag = next(iter(dialog.talks), b"") or own_tag(invite, here.secret)
        refusal = _Refusal(self._reactor, here, answer(invite, 500, tag), invite.top(b"via") or b"")
        self._refusals[dialog.key] = refusal
        refusal.start(lambda: self._understood(dialog))

    def _understood(self, dialog: Dialog) -> None:
        refusal = self._refusals.pop(dialog.key, None)
        if refusal is not None:
            refusal.stop()


class _Refusal:
    """A final answer that is sent until `stop`, for 32 s at most; `on_end` is called when that time is over."""

    def __init__(self, reactor: Any, premises: Premises, message: bytes, top_via: bytes) -> None:
        self._reactor, self._premises = reactor, premises
        self.message, self._top_via = message, top_via
        self._wait_s = T1_S
        self._give_up_at = reactor.seconds() + GIVE_UP_S
        self._timer: DelayedCall | None = None
        self._on_end: Callable[[], None] = lambda: None

    def start(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._send()

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _send(self) -> None:
        if self._reactor.seconds() >= self._give_up_at:
            self._on_end()
            return
        # over a stream nothing is repeated, but the entry stays until its ACK or its end
        if self._wait_s == T1_S or via(self._top_via).transport == "udp":
            self._premises.send_along(self.message, self._top_via)
        self._timer = self._reactor.callLater(self._wait_s, self._send)
        self._wait_s = min(2 * self._wait_s, T2_S)
