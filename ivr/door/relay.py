"""The relay: passes the messages of known dialogs between the network and the lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from ivr.door import forwarding, inward, outward
from ivr.door.counters import Counters
from ivr.door.dialogs import Dialog, DialogMatch, DialogState, DialogTable, Talk, contact_uri, note_answer
from ivr.door.own_requests import OwnRequests
from ivr.door.resolver import Resolver
from ivr.door.trunk_health import UNREACHABLE
from ivr.sip.answers import Header, after_invite, answer, own_tag
from ivr.sip.fields import BadMessage, address
from ivr.sip.message import SipMessage, read
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
    note_answer_to_call: Callable[[str, int], None] = lambda _host, _status: None  # see TrunkHealth.note
    shown: outward.Shown = field(default_factory=lambda: outward.Shown("", 0))
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
    """Passes messages on within known dialogs, each written anew for its reader, and learns from what passes."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises

    # -- network -> line

    def request_to_line(self, message: SipMessage, dialog: Dialog) -> None:
        """Pass a request (source stamped) to the line of its dialog; one that came before gets its answer again."""
        here = self._premises
        branch = forwarding.branch_of(message, here.secret)
        known = dialog.exchanges.find(branch, message.method)
        if known is not None and known.last_answer:
            here.counters.count("retransmitted")
            here.send_along(known.last_answer, known.top_via)
            return
        try:
            if message.method != "INFO":  # whose body the door has written itself
                forwarding.make_body_safe(message, is_answer=message.method not in ("INVITE", "UPDATE"))
        except NoUsableAudio as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            here.refuse(message, 488)
            return
        if message.method != "ACK":
            dialog.exchanges.begin(message, branch, here.table.seconds(), is_from_line=False)
        here.counters.count("forwarded")
        inner_port = here.addresses.inner_port
        data = inward.request(message, branch=branch, line_port=dialog.line_port, inner_port=inner_port)
        here.sockets.send_to_line(data, dialog.line_port)

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
        exchange = dialog.exchanges.find(message.via.branch if message.via else b"", message.cseq_method)
        if exchange is None or not exchange.is_from_line or exchange.cseq != message.cseq:
            here.counters.count("no_dialog", status=message.status)
            return
        here.table.touch(dialog)
        exchange.has_final = exchange.has_final or message.status >= 200
        self._learn_from_far(message, match)
        try:
            forwarding.make_body_safe(message, is_answer=True)
        except NoUsableAudio as wrong:
            here.counters.count("rejected_media", reason=str(wrong))
            message.body = b""  # the line ends a call without media by its own rules
        here.counters.count("forwarded")
        data = inward.answer(message, exchange, inner_port=here.addresses.inner_port)
        here.sockets.send_to_line(data, dialog.line_port)

    def _learn_from_far(self, message: SipMessage, match: DialogMatch) -> None:
        here, dialog = self._premises, match.dialog
        if message.cseq_method != "INVITE":
            return
        target = contact_uri(message) if message.status < 300 else b""
        if target and forwarding.routable(target):
            here.table.allow_host(dialog, forwarding.hop_of(target)[1])
        if dialog.is_incoming or message.cseq != dialog.invite_cseq:
            if match.talk is not None and target and message.status >= 200:
                match.talk.target = target
            return
        here.note_answer_to_call(dialog.peer.host, message.status)
        note_answer(dialog, message, target, forwarding.routes_beyond(message))
        self._note_status(dialog, message.status)

    # -- line -> network

    def answer_from_line(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass a line's answer to who asked."""
        here, dialog = self._premises, match.dialog
        exchange = dialog.exchanges.find(message.via.branch if message.via else b"", message.cseq_method)
        if exchange is None and message.cseq_method == "BYE":
            return  # it was the door's own: see Farewell.hang_up
        if exchange is None or exchange.is_from_line:
            here.counters.count("no_dialog", status=message.status, from_line=True)
            return
        here.table.touch(dialog)
        if dialog.is_incoming and exchange.method == "INVITE" and exchange.cseq == dialog.invite_cseq:
            note_answer(dialog, message)
            self._note_status(dialog, message.status)
            if message.status >= 300 and not exchange.has_final:
                dialog.on_refused(message.status)
        exchange.has_final = exchange.has_final or message.status >= 200
        exchange.last_answer = outward.answer(message, exchange, here.shown, dialog.peer.transport)
        here.counters.count("forwarded")
        here.send_along(exchange.last_answer, exchange.top_via)

    def request_from_line(self, message: SipMessage, match: DialogMatch) -> None:
        """Pass a line's request within a dialog to the outside party."""
        here, dialog, talk = self._premises, match.dialog, match.talk
        here.table.touch(dialog)
        self._note_bye(message, match)
        if message.method not in ("ACK", "CANCEL"):
            dialog.line_cseq = max(dialog.line_cseq, message.cseq)
        follows_invite = message.method == "CANCEL" or (
            message.method == "ACK" and not (talk is not None and talk.is_answered)
        )
        if follows_invite and not dialog.is_incoming and message.cseq == dialog.invite_cseq:
            self._follow_invite(message, dialog, talk)
        elif talk is not None:
            route = talk.routes[0] if talk.routes else None
            self.reach(route, talk.target, dialog, lambda hop: self.send_out(message, dialog, hop, talk))

    def _follow_invite(self, message: SipMessage, dialog: Dialog, talk: Talk | None) -> None:
        """Send the CANCEL of an INVITE, or the ACK of its refusal, to where that went (RFC 3261 9.1, 17.1.1.3)."""
        if not dialog.invite:
            return  # its callee's name is looked up still
        here, branch = self._premises, forwarding.branch_of(message, self._premises.secret)
        if message.method == "CANCEL":
            dialog.exchanges.begin(message, branch, here.table.seconds(), is_from_line=True)
        to = talk.far if talk is not None and message.method == "ACK" else b""
        here.counters.count("forwarded")
        here.sockets.send(after_invite(message.method, read(dialog.invite), to), dialog.peer)

    def reach(self, route: bytes | None, target: bytes, dialog: Dialog, then: OnHop) -> None:
        """Find the hop toward the outside party of a dialog, else its last known one; `then(None)` without any."""
        here, peer = self._premises, dialog.peer
        has_stream = peer.transport == "tcp" and peer in here.sockets.streams
        if route is None and has_stream:
            then(peer)
            return
        try:
            transport, host, port = forwarding.hop_of(address(route)[0] if route is not None else target)
        except BadMessage:
            then(peer)  # what cannot be read is no address: who spoke to us from there may be spoken to there
            return
        if route is None and _is_behind_nat(host, peer.host):
            then(peer)
            return

        def named(numeric_host: str | None) -> None:
            if numeric_host is None:
                then(peer if is_numeric(peer.host) else None)
            else:
                then(peer if has_stream and numeric_host == peer.host else Hop(transport, numeric_host, port))

        here.resolver.lookup(host, named)

    def send_out(self, message: SipMessage, dialog: Dialog, hop: Hop | None, talk: Talk | None = None) -> None:
        """Send a line's request to a hop, the first INVITE if it has no talk; the line gets 503 if there is no way."""
        here = self._premises
        if talk is None and dialog.line_is_gone:
            return  # it died while its callee's name was looked up
        if hop is None or not is_numeric(hop.host):
            self._unreachable(message, dialog)
            return
        if not forwarding.count_hop(message):
            here.refuse_line(message, 483, dialog.line_port)
            return
        here.table.allow_host(dialog, hop.host)
        branch = forwarding.branch_of(message, here.secret)
        if message.method != "ACK":
            dialog.exchanges.begin(message, branch, here.table.seconds(), is_from_line=True)
        data = outward.request(
            message,
            talk.target if talk else message.uri,
            via=here.addresses.via(hop.transport, branch),
            from_=talk.near if talk else dialog.party,
            to=talk.far if talk else message.first(b"to") or b"",
            call_id=dialog.call_id,
            routes=talk.routes if talk else (),
            shown=here.shown,
            transport=hop.transport,
        )
        if talk is None:
            dialog.peer, dialog.invite = hop, data
        here.counters.count("forwarded")
        here.sockets.send(data, hop, lambda: self._unreachable(message, dialog))

    def _unreachable(self, message: SipMessage, dialog: Dialog) -> None:
        here = self._premises
        here.counters.count("unreachable", method=message.method)
        here.refuse_line(message, 503, dialog.line_port)
        if message.method == "INVITE" and dialog.state is DialogState.EARLY:
            here.note_answer_to_call(dialog.peer.host, UNREACHABLE)
            here.table.end(dialog)

    # -- both ways

    def _note_status(self, dialog: Dialog, status: int) -> None:
        if 200 <= status < 300 and dialog.state is DialogState.EARLY:
            self._premises.table.confirm(dialog)
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
