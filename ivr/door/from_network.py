"""What may pass from the network: requests of known dialogs, new calls of trunks, answers to what was asked."""

from __future__ import annotations

from config.settings import Trunk
from ivr.door import own_answers
from ivr.door.admission import Admission
from ivr.door.dialogs import Dialog, DialogMatch
from ivr.door.farewell import Farewell
from ivr.door.forwarding import branch_of, make_body_safe, stamp_source
from ivr.door.relay import Premises, Relay
from ivr.sip.answers import ALLOW, METHODS, answer, own_tag
from ivr.sip.fields import BadMessage, uri
from ivr.sip.message import SipMessage, read
from ivr.sip.sdp import NoUsableAudio
from ivr.sip.sockets import Hop


class FromNetwork:
    """Sorts messages of the network; `trunk` is the one a source belongs to, None for the peer of a call out."""

    def __init__(self, premises: Premises, relay: Relay, farewell: Farewell, admission: Admission) -> None:
        self._premises, self._relay, self._farewell, self._admission = premises, relay, farewell, admission

    def request(self, message: SipMessage, source: Hop, trunk: Trunk | None) -> None:
        """Let a request pass, answer it, or drop it."""
        here = self._premises
        if message.via is None:
            here.counters.count("bad_message", source=source.host, reason=message.fault)
            if trunk is not None:
                self.refuse_unread(message, source, 400)
            return
        stamp_source(message, source)
        match = here.table.find(message) if message.to_tag else None
        if match is not None and match.from_caller != match.dialog.is_incoming:
            match = None  # the outside party speaks with the line's tags: our own request come back
        if trunk is None and (match is None or source.host not in match.dialog.hosts):
            here.counters.count("foreign_source", source=source.host)
        elif message.fault is not None:
            here.counters.count("bad_message", source=source.host, reason=message.fault[1])
            here.refuse(message, message.fault[0])
        elif message.method not in METHODS:
            here.counters.count("method_refused", method=message.method, source=source.host)
            here.refuse(message, 405, (ALLOW,))
        elif (refusal := own_answers.bad_extension(message)) is not None:
            here.counters.count("extension_refused", method=message.method, source=source.host)
            here.refuse(message, *refusal)
        elif match is not None:
            self._within_dialog(message, match)
        elif trunk is not None:
            self._outside_dialog(message, source, trunk)

    def refuse_unread(self, message: SipMessage, source: Hop, status: int) -> None:
        """Refuse a request for what it is, not for what it asks; without a readable Via, to where it came from."""
        here = self._premises
        if message.via is not None:
            stamp_source(message, source)
            here.refuse(message, status)
        elif message.method != "ACK" and b"via" in message.names:
            here.sockets.send(answer(message, status, own_tag(message, here.secret)), source)

    def _within_dialog(self, message: SipMessage, match: DialogMatch) -> None:
        if match.dialog.line_is_gone:
            self._farewell.request(message, match.dialog)
        elif message.method == "ACK" and not (match.talk is not None and match.talk.has_final):
            self._premises.counters.count("no_dialog", method="ACK")
        elif message.method == "ACK" and _leaves_without_sound(message, match.dialog):
            self._farewell.hang_up(match.dialog)
        elif (reply := self._own_answer(message, match.dialog)) is not None:
            self._premises.counters.count("answered_by_door", method=message.method, status=reply[0])
            self._premises.refuse(message, *reply)
        else:
            self._relay.within_dialog(message, match)

    def _own_answer(self, message: SipMessage, dialog: Dialog) -> own_answers.Refusal | None:
        here = self._premises
        if dialog.exchanges.find(branch_of(message, here.secret), message.method) is not None:
            return None  # it has come before, and gets the answer it got then
        return own_answers.within_dialog(message, dialog, here.table.seconds())

    def _outside_dialog(self, message: SipMessage, source: Hop, trunk: Trunk) -> None:
        """Deal with a request whose tags match no dialog: only INVITE, its CANCEL and OPTIONS have business here."""
        here = self._premises
        if message.method == "ACK":
            self._stray_ack(message, source)
        elif message.to_tag:
            self._no_dialog(message, source)
        elif message.method in ("INVITE", "OPTIONS") and (refusal := _bad_target(message.uri)):
            here.counters.count("uri_refused", source=source.host)
            here.refuse(message, refusal)
        elif message.method == "OPTIONS":
            here.counters.count("options_answered")
            is_open = not self._admission.is_draining
            here.refuse(message, *(own_answers.to_options() if is_open else self._admission.unavailable()))
        elif message.method == "CANCEL":
            self._cancel(message, source)
        elif message.method != "INVITE":
            self._no_dialog(message, source)
        else:
            dialog = here.table.get(message.call_id, message.from_tag)
            if dialog is not None and dialog.line_is_gone and dialog.is_incoming:
                self._farewell.request(message, dialog)
            else:
                self._admission.invite(message, source, trunk)

    def _stray_ack(self, message: SipMessage, source: Hop) -> None:
        """An ACK never reaches a line unless its dialog is known: one without To-tag aborts pjsua2 2.15."""
        here = self._premises
        if not message.to_tag:
            here.counters.count("ack_without_tag", source=source.host)
            return
        dialog = here.table.get(message.call_id, message.from_tag)
        if dialog is not None and dialog.line_is_gone:
            self._farewell.request(message, dialog)
        elif message.to_tag != own_tag(message, here.secret):
            here.counters.count("no_dialog", method="ACK", source=source.host)

    def _cancel(self, message: SipMessage, source: Hop) -> None:
        if self._admission.cancel(message):
            return
        here = self._premises
        dialog = here.table.get(message.call_id, message.from_tag)
        branch = message.via.branch if message.via else b""
        if dialog is None or not dialog.is_incoming or (dialog.invite_cseq, dialog.invite_branch) != (
            message.cseq, branch,
        ):  # fmt: skip
            self._no_dialog(message, source)
        elif dialog.line_is_gone:
            self._farewell.request(message, dialog)
        else:
            self._relay.request_to_line(message, dialog)

    def _no_dialog(self, message: SipMessage, source: Hop) -> None:
        self._premises.counters.count("no_dialog", method=message.method, source=source.host)
        self._premises.refuse(message, 481)

    def answer(self, message: SipMessage, source: Hop, trunk: Trunk | None) -> None:
        """Pass an answer to the line that asked, if one did."""
        here = self._premises
        if here.own.takes(message, source):
            return
        match = here.table.find(message)
        if match is None or match.from_caller == match.dialog.is_incoming:
            here.counters.count("no_dialog", status=message.status, source=source.host)
        elif trunk is None and source.host not in match.dialog.hosts:
            here.counters.count("foreign_source", source=source.host)
        elif match.dialog.line_is_gone:
            self._farewell.answer(message, match.dialog)
        else:
            self._relay.answer_to_line(message, match)


def _leaves_without_sound(ack: SipMessage, dialog: Dialog) -> bool:
    """Tell whether an ACK answers our offer with nothing that can be heard: the call would hold its line in silence.

    Who rings without an offer has one from us, and must answer it here (RFC 3261 13.2.1).
    """
    if not dialog.is_incoming or dialog.is_confirmed or ack.cseq != dialog.invite_cseq or read(dialog.invite).body:
        return False
    try:
        make_body_safe(ack, is_answer=False)  # as strictly as an offer
    except NoUsableAudio:
        return True
    return not ack.body


def _bad_target(text: bytes) -> int:
    """Return the refusal of a Request-URI that no call can be meant for, else 0 (RFC 3261 8.2.2.1)."""
    try:
        target = uri(text)
    except BadMessage:
        scheme = text.partition(b":")[0].lower()
        return 400 if scheme in (b"sip", b"sips", b"tel") or b":" not in text else 416
    if target.scheme not in ("sip", "tel"):
        return 416
    return 400 if b"?" in text[target.host_span[1] :] else 0  # RFC 3261 19.1.1: it must have no headers
