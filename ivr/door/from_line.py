"""What may pass from the lines: requests of their dialogs, new calls out, answers to who rang."""

from __future__ import annotations

from ivr.door.admission import Admission
from ivr.door.dialogs import DialogMatch
from ivr.door.forwarding import stamp_source
from ivr.door.relay import Premises, Relay
from ivr.sip.answers import METHODS, own_tag
from ivr.sip.message import SipMessage
from ivr.sip.sockets import Hop


class FromLine:
    """Sorts messages of the lines; `source` is the loopback port of one."""

    def __init__(self, premises: Premises, relay: Relay, admission: Admission) -> None:
        self._premises, self._relay, self._admission = premises, relay, admission

    def request(self, message: SipMessage, source: Hop) -> None:
        """Let a request pass to the outside party, open the way for a new call, or refuse it."""
        here = self._premises
        if message.via is None or message.fault is not None:
            here.counters.count("bad_message", source=f"line {source.port}", reason=message.fault)
            return
        stamp_source(message, source)
        match = here.table.find(message) if message.to_tag else None
        if match is None and not message.to_tag and message.method == "CANCEL":
            dialog = here.table.get(message.call_id, message.from_tag)
            match = DialogMatch(dialog, None, from_caller=True) if dialog is not None else None
        if message.method not in METHODS:
            here.counters.count("method_refused", method=message.method, source=f"line {source.port}")
            here.refuse_line(message, 405, source.port)
        elif match is not None and match.dialog.line_port == source.port:
            if match.from_caller != match.dialog.is_incoming:
                self._relay.request_from_line(message, match)
        elif message.method == "INVITE" and not message.to_tag:
            self._admission.place(message, source.port)
        elif not (message.method == "ACK" and message.to_tag == own_tag(message, here.secret)):
            here.counters.count("no_dialog", method=message.method, from_line=True)
            here.refuse_line(message, 481, source.port)

    def answer(self, message: SipMessage, source: Hop) -> None:
        """Pass an answer to who asked."""
        match = self._premises.table.find(message)
        if match is None or match.dialog.line_port != source.port:
            self._premises.counters.count("no_dialog", status=message.status, from_line=True)
        else:
            self._relay.answer_from_line(message, match)
