"""A phone of bare UDP sockets, for what well-behaved phones seldom do: late offers, holds, odd INFO bodies."""

from __future__ import annotations

import re
import socket
import struct
import uuid
from dataclasses import dataclass, field


def _bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    return one


@dataclass
class RawPhone:
    """One dialog at a time with the line at `port`."""

    port: int
    _sip: socket.socket = field(default_factory=_bound)
    _rtp: socket.socket = field(default_factory=_bound)
    _dialog: dict[str, str] = field(default_factory=dict)
    _cseq: int = 0
    _rtp_count: int = 0
    _was_refused: bool = False
    media_port: int = 0
    event_kind: int = 101

    def __post_init__(self) -> None:
        self._new_dialog()

    def _new_dialog(self) -> None:
        self.call_id = uuid.uuid4().hex
        self._dialog = {"to": f"<sip:12345@127.0.0.1:{self.port}>", "target": f"sip:12345@127.0.0.1:{self.port}"}

    def sdp(self, direction: str = "sendrecv") -> str:
        """Return this phone's offer or answer."""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na={direction}\r\n"
        )

    def send(self, method: str, body: str = "", content_type: str = "application/sdp") -> None:
        """Send a request in the dialog, or the one that begins it."""
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
            self._branch = f"z9hG4bK{uuid.uuid4().hex}"
        # RFC 3261 17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction, that of a 200 is one of its own
        is_own = method == "ACK" and not self._was_refused
        branch = f"z9hG4bK{uuid.uuid4().hex}" if is_own else self._branch
        port = self._sip.getsockname()[1]
        lines = [
            f"{method} {self._dialog['target']} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:13800001111@127.0.0.1:{port}>;tag=raw",
            f"To: {self._dialog['to']}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq} {method}",
            f"Contact: <sip:raw@127.0.0.1:{port}>",
            *([f"Content-Type: {content_type}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        text = "\r\n".join(lines) + "\r\n\r\n" + body
        self._sip.sendto(text.encode(), ("127.0.0.1", self.port))

    def answer_to(self, method: str, timeout_s: float = 3.0) -> tuple[int, str]:
        """Return status and text of the final answer to the last request; AssertionError if none comes."""
        self._sip.settimeout(timeout_s)
        while True:
            try:
                text = self._sip.recv(65536).decode()
            except TimeoutError:
                raise AssertionError(f"no answer to {method}") from None
            status = re.match(r"SIP/2\.0 (\d+)", text)
            if status is None or f"CSeq: {self._cseq} {method}" not in text or int(status.group(1)) < 200:
                continue
            to = re.search(r"^To: (.*?)\r$", text, re.MULTILINE)
            contact = re.search(r"^Contact: <(.*?)>", text, re.MULTILINE)
            if method == "INVITE" and to:
                self._was_refused = int(status.group(1)) >= 300
                self._dialog["to"] = to.group(1)
                if contact:
                    self._dialog["target"] = contact.group(1)
            return int(status.group(1)), text

    def invite(self, direction: str = "sendrecv") -> None:
        """Send an INVITE with an offer; within a dialog it is a re-INVITE."""
        self.send("INVITE", self.sdp(direction))

    def press(self, event: int, packets: int = 3) -> None:
        """Send one key by RFC 4733 to wherever the line's media is."""
        for number in range(packets):
            ends = 0x80 if number == packets - 1 else 0
            payload = struct.pack(">BBH", event, ends | 10, 160 * (number + 1))
            self.rtp(payload, self.event_kind, number == 0, held=number > 0)

    def rtp(self, payload: bytes, kind: int = 8, marker: bool = False, held: bool = False) -> None:
        """Send one RTP packet; `held` repeats the timestamp of the one before."""
        if not held:
            self._rtp_timestamp = self._rtp_count * 160
        head = struct.pack(
            ">BBHII", 0x80, (0x80 if marker else 0) | kind, self._rtp_count & 0xFFFF, self._rtp_timestamp, 0x1234
        )
        self._rtp_count += 1
        self._rtp.sendto(head + payload, ("127.0.0.1", self.media_port))

    def learn_media(self, text: str) -> None:
        """Take the line's RTP port out of a message with SDP."""
        found = re.search(r"^m=audio (\d+)", text, re.MULTILINE)
        assert found is not None, text
        self.media_port = int(found.group(1))
        kind = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", text, re.MULTILINE)
        assert kind is not None, text
        # RFC 3264 5.1: sent with the number the other side gave it
        self.event_kind = int(kind.group(1))

    def rtp_received(self, within_s: float) -> int:
        """Count RTP packets that come in within a time."""
        self._rtp.settimeout(within_s)
        count = 0
        try:
            while count < 5:
                self._rtp.recv(2000)
                count += 1
        except TimeoutError:
            pass
        return count

    def close(self) -> None:
        """Close both sockets."""
        self._sip.close()
        self._rtp.close()
