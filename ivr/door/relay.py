"""The relay: passes the messages of known dialogs between the network and the lines, as a stateless proxy does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from ivr.door import forwarding
from ivr.door.counters import Counters
from ivr.door.dialogs import Dialog, DialogMatch, DialogState, DialogTable, contact_uri, note_answer
from ivr.door.own_requests import OwnRequests
from ivr.door.resolver import Resolver
from ivr.sip.answers import Header, answer, own_tag
from ivr.sip.fields import BadMessage, address
from ivr.sip.message import SipMessage
from ivr.sip.sdp import NoUsableAudio
from ivr.sip.sockets import Hop, Sockets, is_numeric

OnHop = Callable[[Hop | None], None]


@dataclass(slots=True)
class Premises:
    """What all parts of the door share."""

    sockets: Sockets
    table: DialogTable
    resolver: Resolver
    own: OwnRequests
    counters: Counters
    secret: bytes
    media_address: str
    public_media_address: str = ""
    addresses: forwarding.Addresses = field(default_factory=lambda: forwarding.Addresses("", 0, 0, frozenset()))

    def refuse(self, request: SipMessage, status: int, headers: tuple[Header, ...] = ()) -> bytes:
        """Answer a request from the network (source stamped) with the door's own tag; returns what was sent."""
        data = answer(request, status, own_tag(request, self.secret), headers)
        if request.method != "ACK":
            self.send_back(data, request)
        return data

    def send_back(self, data: bytes, request: SipMessage) -> None:
        """Send an answer to where a request came from."""
        self.send_along(data, request.top(b"via") or b"")

    def send_along(self, data: bytes, top_via: bytes) -> None:
        """Send an answer along the Via that is on top of it."""
        hop, instead = forwarding.way_back(top_via)
        if hop.transport == "tcp" and hop not in self.sockets.streams:
            hop = instead
        if is_numeric(hop.host):
            self.sockets.send(data, hop)

    def refuse_line(self, request: SipMessage, status: int, line_port: int) -> None:
        """Answer a request of a line."""
        if request.method != "ACK" and line_port:
            self.sockets.send_to_line(answer(request, status, own_tag(request, self.secret)), line_port)


class Relay:
    """Forwards within known dialogs, and learns from what passes."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises

    # -- network -> line

    def request_to_line(self, message: SipMessage, dialog: Dialog, *, is_first: bool = False) -> None:
        """Pass a request (source stamped) to the line of its dialog; a request that must not reach it is answered."""
        here = self._premises
        if not forwarding.count_hop(message):
            here.counters.count("too_many_hops", method=message.method)
            here.refuse(message, 483)
            return
        try:
            forwarding.make_body_safe(message, is_answer=message.method not in ("INVITE", "UPDATE"))
        except NoUsableAudio as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            here.refuse(message, 488)
            return
        branch = forwarding.branch_of(message, here.secret)
        message.drop(b"route")  # a line is the end of every route
        if is_first:
            forwarding.record_route(message, here.addresses, dialog.peer.transport, to_line=True)
        forwarding.push_via(message, "udp", forwarding.INNER_HOST, here.addresses.inner_port, branch)
        here.counters.count("forwarded")
        here.sockets.send_to_line(message.to_bytes(), dialog.line_port)

    def within_dialog(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass a request from the network that belongs to a dialog."""
        here, dialog, talk = self._premises, match.dialog, match.talk
        here.table.touch(dialog)
        if talk is not None and message.method in ("INVITE", "UPDATE"):
            talk.target = contact_uri(message) or talk.target  # RFC 3261 12.2.2, target refresh
        if message.method == "ACK" and dialog.is_incoming:
            dialog.is_confirmed = True
        self._note_bye(message, match)
        self.request_to_line(message, dialog)

    def answer_to_line(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass an answer from the network to the line that asked."""
        here, dialog = self._premises, match.dialog
        here.table.touch(dialog)
        self._learn_from_far(message, match)
        message.pop(b"via")
        try:
            forwarding.make_body_safe(message, is_answer=True)
        except NoUsableAudio as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            message.drop(b"content-type")
            message.set_body(b"")  # the line ends a call without media by its own rules
        here.counters.count("forwarded")
        here.sockets.send_to_line(message.to_bytes(), dialog.line_port)

    def _learn_from_far(self, message: SipMessage, match: DialogMatch) -> None:
        here, dialog = self._premises, match.dialog
        if message.cseq_method != "INVITE":
            return
        target = contact_uri(message)
        if target and message.status < 300 and forwarding.routable(target):
            here.table.allow_host(dialog, forwarding.hop_of(target)[1])
        if dialog.is_incoming or message.cseq != dialog.invite_cseq:
            if match.talk is not None and target and 200 <= message.status < 300:
                match.talk.target = target
            return
        note_answer(dialog, message, target, forwarding.routes_beyond(message, here.addresses))
        self._note_status(dialog, message.status)

    # -- line -> network

    def answer_from_line(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass a line's answer to who asked."""
        here, dialog = self._premises, match.dialog
        here.table.touch(dialog)
        is_first = message.cseq_method == "INVITE" and message.cseq == dialog.invite_cseq and match.from_caller
        if dialog.is_incoming and is_first:
            note_answer(dialog, message, dialog.far_target, dialog.far_routes)
            self._note_status(dialog, message.status)
        message.pop(b"via")
        next_via = message.top(b"via")
        if next_via is None and message.cseq_method == "BYE":
            return  # it was the door's own: see Farewell.hang_up
        if next_via is None:
            raise BadMessage("an answer of a line has no Via of who asked")
        self._show_outside(message, dialog)
        here.counters.count("forwarded")
        here.send_along(message.to_bytes(), next_via)

    def request_from_line(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass a line's request within a dialog to the outside party."""
        here, dialog = self._premises, match.dialog
        here.table.touch(dialog)
        self._note_bye(message, match)
        if message.method not in ("ACK", "CANCEL"):
            dialog.line_cseq = max(dialog.line_cseq, message.cseq)
        forwarding.pop_our_routes(message, here.addresses)
        follows_invite = message.method == "CANCEL" or (
            message.method == "ACK" and not (match.talk is not None and match.talk.is_answered)
        )
        if follows_invite and not dialog.is_incoming and message.cseq == dialog.invite_cseq:
            self.send_out(message, dialog, dialog.peer)  # RFC 3261 9.1, 17.1.1.3: to where the INVITE went
        else:
            route = message.top(b"route")
            self.reach(route, message.uri, dialog, lambda hop: self.send_out(message, dialog, hop))

    def reach(self, route: bytes | None, target: bytes, dialog: Dialog, then: OnHop) -> None:
        """Find the hop toward the outside party of a dialog; `then(None)` if there is no way."""
        here, peer = self._premises, dialog.peer
        has_stream = peer.transport == "tcp" and peer in here.sockets.streams
        if route is None and has_stream:
            then(peer)
            return
        try:
            transport, host, port = forwarding.hop_of(address(route)[0] if route is not None else target)
        except BadMessage:
            then(None)
            return
        if route is None and _is_behind_nat(host, peer.host):
            then(peer)
            return

        def named(numeric_host: str | None) -> None:
            if numeric_host is None:
                then(None)
            else:
                then(peer if has_stream and numeric_host == peer.host else Hop(transport, numeric_host, port))

        here.resolver.lookup(host, named)

    def send_out(self, message: SipMessage, dialog: Dialog, hop: Hop | None, *, is_first: bool = False) -> None:
        """Send a line's request to a hop; the line gets 503 if it cannot be reached."""
        here = self._premises
        if is_first and dialog.line_is_gone:
            return  # it died while its callee's name was looked up
        if hop is None or not is_numeric(hop.host):
            self._unreachable(message, dialog)
            return
        if not forwarding.count_hop(message):
            here.refuse_line(message, 483, dialog.line_port)
            return
        here.table.allow_host(dialog, hop.host)
        branch = forwarding.branch_of(message, here.secret)
        if is_first:
            dialog.peer = hop
            forwarding.record_route(message, here.addresses, hop.transport, to_line=False)
        self._show_outside(message, dialog)
        forwarding.push_via(message, hop.transport, here.addresses.outer_host, here.addresses.outer_port, branch)
        data = message.to_bytes()
        if is_first:
            dialog.invite = data
        here.counters.count("forwarded")

        def lost() -> None:
            message.pop(b"via")
            self._unreachable(message, dialog)

        here.sockets.send(data, hop, lost)

    def _unreachable(self, message: SipMessage, dialog: Dialog) -> None:
        here = self._premises
        here.counters.count("unreachable", method=message.method)
        here.refuse_line(message, 503, dialog.line_port)
        if message.method == "INVITE" and dialog.state is DialogState.EARLY:
            here.table.end(dialog)

    def _show_outside(self, message: SipMessage, dialog: Dialog) -> None:
        here = self._premises
        forwarding.show_outside(
            message, here.addresses, dialog.line_port, here.media_address, here.public_media_address
        )
        if b"content-length" not in message.names:  # a stream needs it, a datagram does not mind
            message.set_body(message.body)

    # -- both ways

    def _note_status(self, dialog: Dialog, status: int) -> None:
        if 200 <= status < 300 and dialog.state is DialogState.EARLY:
            dialog.state, dialog.answered_at = DialogState.CONFIRMED, dialog.touched_at
        elif status >= 300 and dialog.state is DialogState.EARLY:
            self._premises.table.end(dialog)

    def _note_bye(self, message: SipMessage, match: DialogMatch) -> None:
        if message.method != "BYE" or match.talk is None:
            return
        match.talk.has_ended = True
        if all(talk.has_ended for talk in match.dialog.talks.values() if talk.is_answered):
            self._premises.table.end(match.dialog)


def _is_behind_nat(target: str, peer: str) -> bool:
    """Tell whether a Contact is a private address while its messages come from a public one."""
    if not (is_numeric(target) and is_numeric(peer)):
        return False
    return ip_address(target).is_private and not ip_address(peer).is_private
