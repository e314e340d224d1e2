"""One leg: a SIP dialog with its sound, as pjsua2 sees it; what happens is queued for the loop."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import pjsua2 as pj

from ivr.line.keys import INFO, RFC4733, KeyFilter
from ivr.line.messages import Event, LegAnswered, LegEnded, LegIncoming, LegOnHold, LegRinging, Ring
from ivr.line.players import wrong_text
from ivr.line.rtp_taps import Tap

_Callback = TypeVar("_Callback", bound=Callable[..., None])
_NAME_ADDR = re.compile(r'^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]*)>')
_EVENTS = re.compile(r"(?m)^a=rtpmap:(\d+) telephone-event/8000")
_RTPMAP_101 = re.compile(r"(?m)^a=rtpmap:101 ")
_LONGEST_URI = 512
_LONGEST_RIGHT_S = 600
_NOT_HERE = 503  # we cannot take the call now; whoever routes it may try elsewhere
_SENT_BY_INFO = 1  # PJSUA_DTMF_METHOD_SIP_INFO
_DTMF_UPDATE, _DTMF_END = 1, 2  # PJMEDIA_STREAM_DTMF_IS_UPDATE, _IS_END


def survived(callback: _Callback) -> _Callback:
    """Turn an exception in a pjsua2 callback into a LineFault: raised through the C++ stack it would abort the line."""

    @functools.wraps(callback)
    def guarded(self: Any, *args: Any) -> None:
        try:
            callback(self, *args)
        except BaseException as wrong:  # nothing may pass into C++
            text = f"{callback.__name__}: {wrong_text(wrong)}"
            self.line.later(functools.partial(self.line.fault, text, self.leg_id))

    return cast(_Callback, guarded)


def with_events_as_101(sdp: str) -> str:
    """Return a description with its telephone-event at 8000 Hz numbered 101, if that number is free."""
    own = _EVENTS.search(sdp)
    if own is None or _RTPMAP_101.search(sdp):
        return sdp
    number = own[1]
    sdp = re.sub(rf"(?m)^(a=(?:rtpmap|fmtp):){number} ", r"\g<1>101 ", sdp)
    return re.sub(rf"(?m)^(m=audio [^\r\n]*) {number}(?= |\r|$)", r"\g<1> 101", sdp)


def name_and_uri(name_addr: str) -> tuple[str, str]:
    """Return the display name and the URI of a From or To value."""
    match = _NAME_ADDR.match(name_addr)
    if match is None:
        return "", name_addr.strip()
    quoted, bare, uri = match.groups()
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (bare or "")
    return name, uri


class LineOfLeg(Protocol):
    """What a leg needs of its line; see `line.Line`."""

    retry_after_s: int

    def later(self, act: Callable[[], None]) -> None: ...
    def send(self, event: Event) -> None: ...
    def fault(self, text: str, leg: int = 0) -> None: ...
    def leg_comes_in(self, call_id: int) -> None: ...
    def leg_has_media(self, leg: SipLeg, media: Any | None) -> None: ...
    def leg_is_over(self, leg: SipLeg) -> None: ...
    def key_pressed(self, leg: SipLeg, digit: str, source: str) -> None: ...
    def tap_of(self, leg: SipLeg) -> Tap | None: ...
    def local_uri(self, number: str, display_name: str = "") -> str: ...


class _Counter:
    """Packets of a leg: a re-INVITE may replace the stream, and the new one counts from 0 again."""

    def __init__(self) -> None:
        self._of_former_streams = 0
        self._of_this_stream = 0

    def read(self, count: int) -> None:
        if count < self._of_this_stream:
            self._of_former_streams += self._of_this_stream
        self._of_this_stream = count

    @property
    def total(self) -> int:
        return self._of_former_streams + self._of_this_stream


class SipLeg(pj.Call):  # type: ignore[misc]  # pjsua2 carries no types
    """A leg of a line; `is_over` once its dialog has ended."""

    def __init__(self, line: LineOfLeg, account: Any, leg_id: int, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.line = line
        self.leg_id = leg_id
        self.keys = KeyFilter()
        self.is_over = False
        self.is_ended_by_us = False
        self.is_incoming = call_id != pj.PJSUA_INVALID_ID
        self.has_media = False
        self.has_key_events = True  # whether telephone-event is agreed upon; else its keys are in its sound
        self.is_on_hold = False
        self._has_to_send = True
        self._silent_by_right = 0
        self._rx = _Counter()
        self._tx = _Counter()
        self._rtcp = _Counter()
        self._signs = _Counter()
        self._is_confirmed = False
        self._is_accepted = False  # by a 200 of ours
        self._is_told_answered = False
        self._last_ringing = 0
        self._last_words = (0, "")
        self._redirected_to = ""
        self.tells_end_at = 0.0

    # -- verbs ------------------------------------------------------------------------------------------------------

    def ring(self, command: Ring) -> None:
        """Send the INVITE; pj.Error if it cannot be sent."""
        parameters = pj.CallOpParam(True)
        parameters.opt.audioCount = 1
        parameters.opt.videoCount = 0
        headers = pj.SipHeaderVector()
        for name, value in command.headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            headers.append(header)
        parameters.txOption.headers = headers
        if command.from_number:
            parameters.txOption.localUri = self.line.local_uri(command.from_number, command.display_name)
        self.makeCall(command.uri, parameters)

    def respond(self, sip_status: int, retry_after_s: int | None = None) -> None:
        """Answer the INVITE with a status."""
        parameters = pj.CallOpParam(True)
        parameters.opt.audioCount = 1
        parameters.opt.videoCount = 0
        parameters.statusCode = sip_status
        if retry_after_s is not None:
            header = pj.SipHeader()
            header.hName, header.hValue = "Retry-After", str(retry_after_s)
            headers = pj.SipHeaderVector()
            headers.append(header)
            parameters.txOption.headers = headers
        self._is_accepted = 200 <= sip_status < 300
        if sip_status >= 300:
            self.is_ended_by_us = True
        self.answer(parameters)

    def end(self, sip_status: int = 0) -> None:
        """Hang up by what fits the state: CANCEL, BYE or a final answer."""
        if self.is_ended_by_us:
            return
        if self.is_incoming and not self._is_accepted and not sip_status:
            self.respond(_NOT_HERE, self.line.retry_after_s)
            return
        self.is_ended_by_us = True
        parameters = pj.CallOpParam()
        parameters.statusCode = sip_status
        self.count_packets()
        self.hangup(parameters)

    @property
    def rx_packets(self) -> int:
        """RTP packets received so far, as last counted."""
        return self._rx.total

    def send_keys(self, keys: str, method: str) -> None:
        """Press keys on this leg, by RFC 4733 or by SIP INFO."""
        if method != INFO:
            self.dialDtmf(keys)
            return
        parameters = pj.CallSendDtmfParam()
        parameters.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        parameters.digits = keys
        self.sendDtmf(parameters)

    def count_packets(self) -> None:
        """Read the RTP counters, while there is a stream to read them from."""
        if not self.has_media:
            return
        try:
            counted = self.getStreamStat(0).rtcp
        except pj.Error:
            return
        self._rx.read(counted.rxStat.pkt)
        self._tx.read(counted.txStat.pkt)
        self._rtcp.read(counted.txStat.updateCount)  # how often the other side has reported what it received of us

    def signs_of_life(self, rtp_packets: int) -> int:
        """Return how much has come from this leg so far, RTP of any kind and RTCP.

        Each second in which it need not send, on hold or listening only, counts as one sign: its silence says nothing,
        up to ten minutes in all, when it has surely left.
        """
        self._signs.read(rtp_packets)
        self._silent_by_right += not self._has_to_send and self._silent_by_right < _LONGEST_RIGHT_S
        return self._signs.total + self._rtcp.total + self._silent_by_right

    # -- callbacks --------------------------------------------------------------------------------------------------

    @survived
    def onCallState(self, _prm: Any) -> None:
        now = self.getInfo()
        if now.state == pj.PJSIP_INV_STATE_EARLY and not self.is_incoming:
            if now.lastStatusCode != self._last_ringing:
                self._last_ringing = now.lastStatusCode
                self._tell(LegRinging(leg=self.leg_id, sip_status=now.lastStatusCode))
        elif now.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._is_confirmed = True
            self._tell_answered(now.callIdString)
        elif now.state == pj.PJSIP_INV_STATE_DISCONNECTED and not self.is_over:
            self.count_packets()
            self.is_over = True
            self.has_media = False
            self._last_words = (int(now.lastStatusCode), now.lastReason)
            self.line.later(functools.partial(self.line.leg_is_over, self))

    @survived
    def _note_redirected(self, prm: Any) -> None:
        self._redirected_to = self._redirected_to or str(prm.targetUri)[:_LONGEST_URI]

    def onCallRedirected(self, prm: Any) -> int:
        """Take note of where a 3xx points first, and go nowhere: the node decides whether anybody is rung there."""
        self._note_redirected(prm)
        return int(pj.PJSIP_REDIRECT_REJECT)  # STOP would end the leg as 487, and nobody would know why

    @survived
    def onCallMediaState(self, _prm: Any) -> None:
        # fires again on every re-INVITE: the port may be another one, so it is fetched again
        now = self.getInfo()
        active = (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
        self.has_media = any(m.type == pj.PJMEDIA_TYPE_AUDIO and m.status in active for m in now.media)
        if self.has_media:
            with contextlib.suppress(pj.Error):
                self.has_key_events = self.getStreamInfo(0).audTxEventPt >= 0
        self.line.later(functools.partial(self.line.leg_has_media, self, self._sound()))
        is_on_hold = any(
            m.type == pj.PJMEDIA_TYPE_AUDIO and m.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD for m in now.media
        )
        self._has_to_send = not is_on_hold and any(m.dir & pj.PJMEDIA_DIR_DECODING for m in now.media)
        if is_on_hold is not self.is_on_hold:
            self.is_on_hold = is_on_hold
            self._tell(LegOnHold(self.leg_id, is_on_hold))
        if self._is_confirmed:
            self._tell_answered(now.callIdString)

    def _sound(self) -> Any | None:
        if self.has_media:
            with contextlib.suppress(pj.Error):
                return self.getAudioMedia(-1)
        return None

    @survived
    def onDtmfDigit(self, prm: Any) -> None:
        if prm.method == _SENT_BY_INFO:
            self._key(prm.digit, INFO)

    @survived
    def onDtmfEvent(self, prm: Any) -> None:
        """Hear a key whose packets were read by pjmedia before they could be looked into; most are known."""
        if prm.method == _SENT_BY_INFO:
            return
        tap, is_first = self.line.tap_of(self), not prm.flags & _DTMF_UPDATE
        has_ended = bool(prm.flags & _DTMF_END)
        if tap.told(prm.digit, prm.timestamp, prm.duration, has_ended=has_ended) if tap is not None else is_first:
            self._key(prm.digit, RFC4733)

    def key_heard(self, digit: str) -> None:
        """A key was in the RTP packets of this leg."""
        self._key(digit, RFC4733)

    def rtp_port(self) -> int | None:
        """Return the local port of its RTP, None while there is no sound."""
        if not self.has_media:
            return None
        try:
            return int(self.getMedTransportInfo(0).localRtpName.rpartition(":")[2])
        except (pj.Error, ValueError):
            return None

    def rtp_named(self) -> tuple[str, int]:
        """Return host and port where SDP says that its sound is."""
        try:
            host, _, port = self.getStreamInfo(0).remoteRtpAddress.rpartition(":")
            return host, int(port)
        except (pj.Error, ValueError):
            return "", 0

    @survived
    def onCallSdpCreated(self, prm: Any) -> None:
        # pjmedia offers telephone-event as 120; some phones know 101 alone, whatever they are offered
        prm.sdp.wholeSdp = with_events_as_101(prm.sdp.wholeSdp)

    def _key(self, digit: str, source: str) -> None:
        if self.keys.is_new(digit, source, time.monotonic()):
            self.line.later(functools.partial(self.line.key_pressed, self, digit, source))

    def _tell(self, event: Any) -> None:
        self.line.later(functools.partial(self.line.send, event))

    def _tell_answered(self, sip_call_id: str) -> None:
        # 200 OK with its ACK, and where the sound goes; a late offer brings them the other way round
        if self.has_media and not self._is_told_answered:
            self._is_told_answered = True
            self._tell(LegAnswered(self.leg_id, sip_call_id, has_key_events=self.has_key_events))

    def incoming(self) -> LegIncoming:
        """Return the event that announces this leg."""
        now = self.getInfo()
        display_name, from_uri = name_and_uri(now.remoteUri)
        _name, to_uri = name_and_uri(now.localUri)
        return LegIncoming(
            leg=self.leg_id,
            sip_call_id=now.callIdString,
            from_uri=from_uri,
            to_uri=to_uri,
            display_name=display_name,
        )

    def still_occupies(self) -> bool:
        """Tell whether pjsua still keeps the place of this call, though it is over: its BYE or CANCEL is unanswered."""
        try:
            self.getInfo()
        except pj.Error:
            return False
        return True

    def ended(self, is_lingering: bool) -> LegEnded:
        """Return the last event of this leg."""
        sip_status, reason = self._last_words
        return LegEnded(
            leg=self.leg_id,
            sip_status=sip_status,
            reason=reason,
            by_remote=not self.is_ended_by_us,
            rx_packets=self._rx.total,
            tx_packets=self._tx.total,
            is_lingering=is_lingering,
            redirected_to=self._redirected_to,
        )


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 carries no types
    """Where INVITEs come in; it registers nowhere (the door does that)."""

    leg_id = 0

    def __init__(self, line: LineOfLeg) -> None:
        super().__init__()
        self.line = line

    @survived
    def onIncomingCall(self, prm: Any) -> None:
        self.line.leg_comes_in(prm.callId)
