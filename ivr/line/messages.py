"""The messages between the node and a line: one JSON object per line of text, each a frozen dataclass here.

Commands go node -> line, events line -> node. A leg is an int, unique within its line process for the life of that
process; the node chooses the ids of legs it rings (odd), the line those of legs that come in (even). A line decides
nothing: it does what a command says and tells what happened. A command about a leg, play or recording that is already
gone is not an error: the event that says it is gone is on its way.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, cast

# -- commands: node -> line ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """Answer an incoming leg with 200 OK; LegAnswered follows when the ACK is in."""

    leg: int


@dataclass(frozen=True)
class Progress:
    """Send a provisional answer (180) on an incoming leg."""

    leg: int
    sip_status: int = 180


@dataclass(frozen=True)
class Reject:
    """Refuse an incoming leg with a final answer of 300 to 699."""

    leg: int
    sip_status: int = 486
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Ring:
    """Call `uri` as leg `leg` (chosen by the node); LegRinging, LegAnswered or LegEnded follow.

    `from_number` is what the called phone displays; `headers` are added to the INVITE as they are.
    """

    leg: int
    uri: str
    from_number: str = ""
    display_name: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hangup:
    """End a leg in whatever state it is: CANCEL, BYE or a final answer.

    An incoming leg that was not answered gets 503 with Retry-After unless `sip_status` says else: 603, which SIP stacks
    take by themselves, would tell the trunk to try nowhere else (RFC 3261 21.6.2).
    """

    leg: int
    sip_status: int = 0


@dataclass(frozen=True)
class Play:
    """Play 8 kHz 16-bit mono WAV files to one leg, one after the other; PlayEnded follows exactly once.

    A leg hears one play at a time: a new one stops the one before. With `loop` it runs until stopped. With
    `stop_on_key` the first key of that leg stops it at once, in the line, before the node knows of the key.
    """

    leg: int
    play: int
    files: tuple[str, ...]
    loop: bool = False
    stop_on_key: bool = False


@dataclass(frozen=True)
class Stop:
    """Stop a play; PlayEnded(finished=False) follows if it was still running."""

    play: int


@dataclass(frozen=True)
class Bridge:
    """From now on the bridge `bridge` joins exactly `legs`, each hearing all others and not itself.

    A leg is in one bridge at most: naming it here takes it out of any other. No legs dissolve the bridge. Legs that
    have no media yet are joined when it comes up.
    """

    bridge: int
    legs: tuple[int, ...]


@dataclass(frozen=True)
class Mute:
    """Stop (or let through again) what a leg says to its bridge; recordings of that leg stay whole."""

    leg: int
    muted: bool = True


@dataclass(frozen=True)
class Overhear:
    """From now on `leg`, which is in no bridge, hears exactly `hears`, and is heard by exactly `heard_by`.

    Who is heard by nobody listens in unnoticed. Legs that have no media yet are connected when it comes up.
    """

    leg: int
    hears: tuple[int, ...] = ()
    heard_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class Record:
    """Record the mix of what `legs` say into a WAV file; legs may be changed by a second Record of the same id.

    RecordEnded follows when stopped, when `max_s` is over, or when its last leg is gone.
    """

    recording: int
    path: str
    legs: tuple[int, ...]
    max_s: float = 0.0


@dataclass(frozen=True)
class StopRecord:
    """Close a recording; RecordEnded follows."""

    recording: int


@dataclass(frozen=True)
class SendKeys:
    """Press keys on a leg (RFC 4733, or SIP INFO): an extension behind a switchboard."""

    leg: int
    keys: str
    method: str = "rfc4733"


@dataclass(frozen=True)
class Quit:
    """Hang up all legs, close all recordings and exit."""


# -- events: line -> node -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """What happened, and when: `monotonic_s` of the machine and `wall_s` since the epoch, both stamped by the line."""

    monotonic_s: float = field(default=0.0, kw_only=True)
    wall_s: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class Hello(Event):
    """First message of a line: who it is and where its SIP listens (127.0.0.1)."""

    line: int
    pid: int
    sip_port: int
    max_legs: int


@dataclass(frozen=True)
class Heartbeat(Event):
    """Sent every second; `rx_packets` counts RTP packets received so far, by leg.

    `signs_of_life` counts all that a leg has sent: RTP of any kind, comfort noise too, and RTCP; and each second in
    which it need not send.
    """

    rx_packets: dict[int, int] = field(default_factory=dict)
    signs_of_life: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LegIncoming(Event):
    """An INVITE came in; the leg waits for Answer or Reject. URIs as in the message, without angle brackets."""

    leg: int
    sip_call_id: str
    from_uri: str
    to_uri: str
    display_name: str = ""


@dataclass(frozen=True)
class LegRinging(Event):
    """The called phone rings (180 or 183)."""

    leg: int
    sip_status: int


@dataclass(frozen=True)
class LegAnswered(Event):
    """The leg is up: 200 OK and ACK have been exchanged and its media is known.

    Without `has_key_events` no telephone-event was agreed upon: keys are looked for in the sound, and may be missed.
    """

    leg: int
    sip_call_id: str = ""
    has_key_events: bool = True


@dataclass(frozen=True)
class LegEnded(Event):
    """The leg is gone; last event of a leg, sent exactly once.

    `sip_status` is the last status (200 after a normal BYE; 487 after CANCEL; 408 no answer; 0 unknown);
    `by_remote` tells who ended it. `is_lingering`: the other side has not answered our BYE or CANCEL yet, which is
    sent again for up to 32 s (RFC 3261 17.1.2.2), and takes the place of a leg in the line for as long.
    `redirected_to` is what a 3xx named first, a URI or a URI in <>; the line never follows one by itself.
    """

    leg: int
    sip_status: int
    reason: str = ""
    by_remote: bool = True
    rx_packets: int = 0
    tx_packets: int = 0
    is_lingering: bool = False
    redirected_to: str = ""


@dataclass(frozen=True)
class LegOnHold(Event):
    """The phone of a leg has put us on hold by its own key, or taken us back: meanwhile it need send nothing."""

    leg: int
    is_on_hold: bool


@dataclass(frozen=True)
class KeyPressed(Event):
    """One key, reported once by whichever ways it was sent; `source` is rfc4733 (or tones in the sound) or info."""

    leg: int
    digit: str
    source: str = "rfc4733"


@dataclass(frozen=True)
class PlayEnded(Event):
    """A play is over: `finished` if it ran to its end, False if it was stopped, replaced or its leg has gone."""

    leg: int
    play: int
    finished: bool


@dataclass(frozen=True)
class RecordEnded(Event):
    """A recording is closed and its WAV header is right; `cut_because` says why sound is missing in it, if some is.

    There is no file if nothing at all could be kept.
    """

    recording: int
    path: str
    duration_ms: int
    cut_because: str = ""


@dataclass(frozen=True)
class LineFault(Event):
    """Something in the line went wrong and was survived; for the log."""

    text: str
    leg: int = 0


Command = (
    Answer | Progress | Reject | Ring | Hangup | Play | Stop | Bridge | Mute | Overhear | Record | StopRecord | SendKeys
    | Quit
)

_TYPES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Answer, Progress, Reject, Ring, Hangup, Play, Stop, Bridge, Mute, Overhear, Record, StopRecord, SendKeys,
        Quit,
        Hello, Heartbeat, LegIncoming, LegRinging, LegAnswered, LegEnded, LegOnHold, KeyPressed, PlayEnded,
        RecordEnded, LineFault,
    )
}


class MalformedMessage(ValueError):
    """A line of text that is no message of this file."""


@dataclass(frozen=True)
class LineConfig:
    """What a line must know at birth; sent by the pool to the warm parent with each fork.

    `outbound_proxy` is the door's inner address (`sip:127.0.0.1:PORT;lr`), empty for a phone of the demo.
    `media_address` is what RTP binds to and `media_public_address` what SDP shows ("" = the same). `sip_port` 0 lets
    the system choose. Credentials answer a trunk's 401/407 and come from the environment or a file. Who is refused
    because the node cannot take them is told to come back after `retry_after_s`. With less than `least_free_bytes` on
    its file system, nothing is recorded.
    """

    line: int
    socket_path: str
    outbound_proxy: str = ""
    sip_port: int = 0
    media_address: str = "127.0.0.1"
    media_public_address: str = ""
    rtp_port: int = 0
    rtp_port_range: int = 0
    user_agent: str = "12345-enterprise-line"
    auth_realm: str = "*"
    auth_username: str = ""
    auth_password: str = field(default="", repr=False)
    log_path: str = ""
    retry_after_s: int = 10
    least_free_bytes: int = 20_000_000


def encode(message: object) -> bytes:
    """Return `message` as one line of JSON text, newline included.

    ASCII only: text of the network need not be UTF-8, and Python keeps such bytes as lone surrogates (PEP 383).
    """
    fields = {f.name: getattr(message, f.name) for f in dataclasses.fields(cast(Any, message))}
    return json.dumps({"type": type(message).__name__, **fields}).encode() + b"\n"


def decode(line: bytes) -> Any:
    """Return the message in one line of text; MalformedMessage if it is none."""
    try:
        fields = json.loads(line)
        cls = _TYPES[fields.pop("type")]
        for name, value in fields.items():
            if isinstance(value, list):
                fields[name] = tuple(value)
            elif name in ("rx_packets", "signs_of_life") and isinstance(value, dict):
                fields[name] = {int(leg): count for leg, count in value.items()}
        return cls(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise MalformedMessage(f"{line[:200]!r}: {wrong}") from wrong
