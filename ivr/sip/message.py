"""The byte-preserving reader of SIP messages: finds what the door must know, leaves every other byte as it came.

`twisted.protocols.sip` is not used: it fails valid messages of RFC 4475 and splits one datagram in two. Whatever can be
answered is read as far as it goes, and refused with 400 where it is at fault: silence helps nobody to find out why.
"""

from __future__ import annotations

import re

from ivr.sip.fields import BadMessage, Via, address, split_values, via

MAX_HEADERS = 1000

_LONG_FORM = {
    b"a": b"accept-contact", b"b": b"referred-by", b"c": b"content-type", b"d": b"request-disposition",
    b"e": b"content-encoding", b"f": b"from", b"i": b"call-id", b"j": b"reject-contact", b"k": b"supported",
    b"l": b"content-length", b"m": b"contact", b"o": b"event", b"r": b"refer-to", b"s": b"subject", b"t": b"to",
    b"u": b"allow-events", b"v": b"via", b"x": b"session-expires", b"y": b"identity",
}  # fmt: skip
_WRITTEN = {b"cseq": b"CSeq", b"call-id": b"Call-ID"}
_ONCE = (b"call-id", b"cseq", b"from", b"to", b"max-forwards", b"content-length", b"content-type")
_REQUEST = re.compile(rb"([A-Za-z0-9.!%*_+`'~-]+) ([^\s<>\"]+) (SIP/\d+\.\d+)", re.IGNORECASE)
_REQUEST_LIKE = re.compile(rb"([A-Za-z]+)\s.*\sSIP/2\.0\s*", re.IGNORECASE | re.DOTALL)
_RESPONSE = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: .*)?", re.IGNORECASE | re.DOTALL)
_CSEQ = re.compile(rb"(\d{1,12})\s+([^\s]+)")
_CALL_ID = re.compile(rb"[!-~]{1,256}")
_UNFOLDED = re.compile(rb"\r\n(?![ \t])")
_LONE_CR = re.compile(rb"\r(?!\n)")
_LONE_LF = re.compile(rb"(?<!\r)\n")
_FOLD = re.compile(rb"\r\n[ \t]+")
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*)", re.IGNORECASE)
_NAME = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+")


class SipMessage:
    """One SIP message: a start line, its header lines as received, and a body.

    `method` is "" in a response and `status` 0 in a request. `fault` is the answer a faulty request earns, such as
    (400, "CSeq missing"), else None; with a fault, fields that could not be read keep their empty defaults.
    """

    __slots__ = (
        "body", "call_id", "cseq", "cseq_method", "excess", "fault", "from_tag", "lines", "method", "names",
        "start", "status", "to_tag", "uri", "via",
    )  # fmt: skip

    def __init__(self, start: bytes, lines: list[bytes], names: list[bytes], body: bytes) -> None:
        self.start, self.lines, self.names, self.body = start, lines, names, body
        self.method, self.uri, self.status = "", b"", 0
        self.call_id, self.cseq, self.cseq_method = b"", 0, ""
        self.from_tag, self.to_tag = b"", b""
        self.via: Via | None = None
        self.excess = 0
        self.fault: tuple[int, str] | None = None

    def first(self, name: bytes) -> bytes | None:
        """Return the value of the first header `name` (lower case, long form), unfolded; None if there is none."""
        try:
            return _value(self.lines[self.names.index(name)])
        except ValueError:
            return None

    def values(self, name: bytes) -> list[bytes]:
        """Return all comma-separated values of all headers `name`, in order."""
        if name not in self.names:
            return []
        lines = [line for line, its_name in zip(self.lines, self.names, strict=True) if its_name == name]
        return [value for line in lines for value in split_values(_value(line))]

    def every(self, name: bytes) -> list[bytes]:
        """Return the whole values of all headers `name`, unfolded, in order, readable or not."""
        return [_value(line) for line, its_name in zip(self.lines, self.names, strict=True) if its_name == name]

    def top(self, name: bytes) -> bytes | None:
        """Return the first value of the first header `name`."""
        value = self.first(name)
        return None if value is None else split_values(value)[0]

    def push(self, name: bytes, value: bytes) -> None:
        """Put `name: value` above all other headers of that name."""
        at = self.names.index(name) if name in self.names else 0
        self.lines.insert(at, _header(name, value))
        self.names.insert(at, name)

    def pop(self, name: bytes) -> None:
        """Take away the first value of the first header `name`."""
        at = self.names.index(name)
        rest = split_values(_value(self.lines[at]))[1:]
        if rest:
            self.lines[at] = _header(name, b", ".join(rest))
        else:
            del self.lines[at], self.names[at]

    def replace_top(self, name: bytes, value: bytes) -> None:
        """Put `value` in place of the first value of the first header `name`."""
        at = self.names.index(name)
        rest = split_values(_value(self.lines[at]))[1:]
        self.lines[at] = _header(name, b", ".join([value, *rest]))

    def set(self, name: bytes, value: bytes) -> None:
        """Put `value` in place of the header `name`, or add it at the end."""
        if name in self.names:
            self.lines[self.names.index(name)] = _header(name, value)
        else:
            self.lines.append(_header(name, value))
            self.names.append(name)

    def drop(self, name: bytes) -> None:
        """Take away every header `name`."""
        while name in self.names:
            at = self.names.index(name)
            del self.lines[at], self.names[at]

    def set_body(self, body: bytes) -> None:
        """Put `body` in place of the body; the length follows."""
        self.body = body
        self.set(b"content-length", b"%d" % len(body))

    def to_bytes(self) -> bytes:
        """Return the message for the wire: untouched lines byte for byte."""
        return b"\r\n".join((self.start, *self.lines, b"", self.body))


def read(data: bytes, *, from_stream: bool = False) -> SipMessage:
    """Return the message in one datagram, or in one frame of a stream.

    What is beyond Content-Length is cut off and its size left in `excess` (RFC 3261 18.3). BadMessage when the bytes
    cannot be taken for a message at all; a request that can be answered, but only with an error, has a `fault`.
    """
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    wrong = "" if end else "the head does not end"
    crlf = head.count(b"\r\n")
    if head.count(b"\n") != crlf or head.count(b"\r") != crlf:
        wrong = "a line does not end with CRLF"
        head = _LONE_LF.sub(b"\r\n", _LONE_CR.sub(b" ", head))
    if crlf > MAX_HEADERS:
        raise BadMessage("there are too many lines")
    start, *lines = head.split(b"\r\n") if b"\r\n " not in head and b"\r\n\t" not in head else _UNFOLDED.split(head)
    start, folded, _ = start.partition(b"\r\n")
    wrong = wrong or ("a fold follows the start line" if folded else "")
    message = SipMessage(start, lines, [_name(line) for line in lines], body)
    _read_start(message)
    if wrong:
        if message.status:
            raise BadMessage(wrong)
        message.fault = (400, wrong)
    try:
        _read_fields(message)
        _cut_body(message, from_stream)
    except BadMessage as wrong:
        if message.status:
            raise
        message.fault = message.fault or (400, str(wrong))
    return message


def content_length(head: bytes) -> int:
    """Return the Content-Length in a head taken from a stream, 0 if it has none; BadMessage if it is no number."""
    lengths = [text.strip() for text in _LENGTH.findall(head)]
    if len(lengths) > 1 or (lengths and not (lengths[0].isdigit() and len(lengths[0]) < 10)):
        raise BadMessage("Content-Length is no number")
    return int(lengths[0]) if lengths else 0


def _read_start(message: SipMessage) -> None:
    response = _RESPONSE.fullmatch(message.start)
    if response is not None:
        message.status = int(response[1])
        return
    request = _REQUEST.fullmatch(message.start)
    if request is None:
        like = _REQUEST_LIKE.fullmatch(message.start)
        if like is None:
            raise BadMessage("the start line cannot be read")
        message.method, message.fault = like[1].decode(), (400, "the start line cannot be read")
        return
    message.method, message.uri = request[1].decode(), request[2]
    if request[3].upper() != b"SIP/2.0":
        message.fault = (505, "Version Not Supported")


def _read_fields(message: SipMessage) -> None:
    """Read what every message must have; the Via first, since an error is answered along it."""
    top = message.top(b"via")
    if top is None:
        raise BadMessage("Via missing")
    message.via = via(top)
    for name in _ONCE:
        if message.names.count(name) > 1:
            raise BadMessage(f"{name.decode()} stands twice")
    message.call_id = _required(message, b"call-id")
    if _CALL_ID.fullmatch(message.call_id) is None:
        raise BadMessage("Call-ID has characters it must not have")
    cseq = _CSEQ.fullmatch(_required(message, b"cseq"))
    if cseq is None or int(cseq[1]) >= 2**31:
        raise BadMessage("CSeq cannot be read")
    message.cseq, message.cseq_method = int(cseq[1]), cseq[2].decode("ascii", "replace")
    message.from_tag = address(_required(message, b"from"))[1].get(b"tag", b"")
    message.to_tag = address(_required(message, b"to"))[1].get(b"tag", b"")
    if message.method and message.cseq_method != message.method:
        raise BadMessage("the method of CSeq is another")


def _required(message: SipMessage, name: bytes) -> bytes:
    value = message.first(name)
    if not value:
        raise BadMessage(f"{name.decode()} missing")
    return value


def _cut_body(message: SipMessage, from_stream: bool) -> None:
    text = message.first(b"content-length")
    if text is None:
        if from_stream and message.body:
            raise BadMessage("Content-Length missing")
        return
    if not text.isdigit() or len(text) > 9:
        raise BadMessage("Content-Length is no number")
    length = int(text)
    if length > len(message.body):
        raise BadMessage("the body is shorter than Content-Length")
    message.excess = len(message.body) - length
    message.body = message.body[:length]


def _name(line: bytes) -> bytes:
    """Return the name of a header line in lower case and long form; b"" for what is no header, which nobody reads."""
    raw, colon, _ = line.partition(b":")
    raw = raw.rstrip()
    if not colon or _NAME.fullmatch(raw) is None:
        return b""
    name = raw.lower()
    return _LONG_FORM.get(name, name)


def _value(line: bytes) -> bytes:
    value = line[line.index(b":") + 1 :]
    return (_FOLD.sub(b" ", value) if b"\r\n" in value else value).strip()


def _header(name: bytes, value: bytes) -> bytes:
    return (_WRITTEN.get(name) or b"-".join(part.capitalize() for part in name.split(b"-"))) + b": " + value
