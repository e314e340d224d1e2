"""The record of a call: what each leg did, when, and what it came to."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from ivr.calls.steps import CallStep

REDIRECTED = "redirected"  # the cause of a leg that another one took the place of


class PartyRole(Enum):
    """Who a leg belongs to."""

    CALLER = "caller"  # the enterprise
    SEAT = "seat"  # an operator of the hotline
    SPECIALIST = "specialist"  # a person at the responsible unit
    LEADER = "leader"  # the leader of a unit, reminded
    SUPERVISOR = "supervisor"  # who listens to a conversation of others
    ELSEWHERE = "elsewhere"  # the line a matter belongs to that is not served here


class Direction(Enum):
    """Who began a call, and what for."""

    IN = "in"  # somebody rang the hotline
    DIAL_IN = "dial_in"  # a specialist rang the hotline, to settle an order
    CALLBACK = "callback"  # we ring a unit, then the enterprise it owes a call
    REMINDER = "reminder"  # we ring the leader of a unit
    NUMBER_CHECK = "number_check"  # we ring a number of the directory to see that it rings


class CallOutcome(Enum):
    """What a call came to; one per call."""

    SERVED = "served"  # the caller talked to a person
    ORDER = "order"  # a work order was opened or taken up
    INTERRUPTED = "interrupted"  # the caller left half way; an order keeps the request
    ELSEWHERE = "elsewhere"  # put through to where the matter belongs, or told the number
    ABANDONED = "abandoned"  # the caller left before asking for anything
    REFUSED = "refused"  # its INVITE was refused before it rang: an extension or session timer nobody serves
    LINE_LOST = "line_lost"  # the line or node died under the call
    FAILED = "failed"  # an error of ours
    NOT_REACHED = "not_reached"  # we rang, and it came to no talk, or no key
    REMINDED = "reminded"  # a leader acknowledged by key
    CHECKED = "checked"  # a number of the directory was answered


class TransferResult(Enum):
    """What became of a three-way transfer begun in working hours (三方直转)."""

    NONE = "none"  # no transfer was begun
    ACCEPTED = "accepted"  # a specialist pressed 1
    NOBODY = "nobody"  # all were rung, nobody accepted
    ABANDONED = "abandoned"  # the caller left while specialists were rung


@dataclass
class LegRecord:
    """One leg; instants are aware datetimes, seconds are of talk with RTP both ways with the caller.

    `redirected_to` is where the phone sent its caller by a 3xx: on the leg that it ended, and on the one that followed
    it there, if the number may be rung. `number` stays that of the person who is meant.
    """

    leg_id: int
    role: PartyRole
    number: str
    name: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    sip_status: int = 0
    cause: str = ""
    two_way_s: float = 0.0
    rx_packets: int = 0
    tx_packets: int = 0
    redirected_to: str = ""

    @property
    def was_followed(self) -> bool:
        """Whether another leg took its place: what came of the phone is told by that one."""
        return self.cause == REDIRECTED


@dataclass
class SupervisionRecord:
    """Somebody listened in, or spoke: who, at which phone, and each mode with the instant it began."""

    who: str
    number: str
    began_at: datetime
    ended_at: datetime | None = None
    modes: list[tuple[str, datetime]] = field(default_factory=list)


@dataclass
class CallRecord:
    """One conversation from first INVITE to last BYE; written to the journal once, when it is over."""

    call_id: str
    sip_call_id: str
    caller_number: str
    called_number: str
    offered_at: datetime
    direction: Direction = Direction.IN
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    was_open: bool | None = None
    steps: list[CallStep] = field(default_factory=list)  # the way through the flows, in order
    key_path: str = ""  # keys of the menu
    matter_id: str = ""
    unit_id: str = ""
    asked_for_person_at: datetime | None = None
    person_answered_at: datetime | None = None
    transfer: TransferResult = TransferResult.NONE
    outcome: CallOutcome = CallOutcome.FAILED
    cause: str = ""
    two_way_s: float = 0.0
    legs: list[LegRecord] = field(default_factory=list)
    recordings: list[str] = field(default_factory=list)
    recordings_cut: list[str] = field(default_factory=list)  # what lacks sound: the disk was full, or the line died
    order_ids: list[str] = field(default_factory=list)
    attempt_id: str = ""  # the attempt of a callback
    supervisions: list[SupervisionRecord] = field(default_factory=list)

    def as_payload(self) -> dict[str, Any]:
        """Return the record as JSON-ready values: enums by value, instants as ISO 8601."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def new_call_id(at: datetime) -> str:
    """Return an id that sorts by time: 20260214T180000-1a2b3c4d."""
    return f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
