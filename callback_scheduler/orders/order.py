"""An order: the record of one callback that a unit owes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from callback_scheduler.orders.deadlines import Deadline
from callback_scheduler.orders.states import OrderState
from routing.phone_numbers import is_same_number


class OrderKind(Enum):
    """How the order came to be."""

    AFTER_HOURS = "after_hours"  # the caller left it outside working hours
    MISSED = "missed"  # nobody accepted in working hours
    INTERRUPTED = "interrupted"  # the caller hung up half way, with a number to ring
    ONLINE = "online"  # handed over by the online assistant


class BegunBy(str, Enum):
    """Who began an attempt; a string, as journal and store keep it."""

    TIMETABLE = "timetable"  # the service itself, or a supervisor who would not wait for it
    UNIT = "unit"  # somebody at the unit, by a click
    ENTERPRISE = "enterprise"  # the enterprise rang about its own order
    SPECIALIST = "specialist"  # a specialist dialled in

    __str__ = str.__str__


class AttemptOutcome(Enum):
    """How one try to place a callback ended."""

    UNDER_WAY = "under_way"  # not ended yet, as far as the journal knows
    UNIT_NO_ANSWER = "unit_no_answer"  # nobody at the unit picked up
    UNIT_BUSY = "unit_busy"
    UNIT_REFUSED = "unit_refused"
    NOT_ACCEPTED = "not_accepted"  # the unit answered, nobody pressed 1: a voicemail perhaps
    PASSED_ON = "passed_on"  # the specialist pressed 2: a colleague shall
    IN_TEN_MINUTES = "in_ten_minutes"  # the specialist pressed 3
    ENTERPRISE_BUSY = "enterprise_busy"
    ENTERPRISE_NO_ANSWER = "enterprise_no_answer"
    ENTERPRISE_REFUSED = "enterprise_refused"
    TALK_TOO_SHORT = "talk_too_short"  # both were joined, for less than what counts as a talk
    REACHED = "reached"  # the evidence proves it
    CALLED_OFF = "called_off"  # ended by us before anybody answered
    UNKNOWN = "unknown"  # the node died or lost its lease on the way

    @property
    def counts_as_tried(self) -> bool:
        """Whether the enterprise's phone was really rung, in vain (已尽责未接通 needs three of these)."""
        return self in _TRIED


_TRIED = frozenset(
    {
        AttemptOutcome.ENTERPRISE_BUSY,
        AttemptOutcome.ENTERPRISE_NO_ANSWER,
        AttemptOutcome.ENTERPRISE_REFUSED,
        AttemptOutcome.TALK_TOO_SHORT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What a flow knows of an order before it has a number.

    `opened_at` is aware; `callback_number` is the number to ring ("" if none); `message_path` is the recording the
    caller left ("" if none); `company` the name of the enterprise, `contact` whom to ask for; `key_path` the digits
    that led here; `is_direct` that the matter needs no seat.
    `hold_reason` is why a person must look at the order before it is dialled, one of `holds.Hold`; "" if nobody must.
    """

    call_id: str
    kind: OrderKind
    opened_at: datetime
    caller_number: str
    callback_number: str
    matter_id: str
    unit_id: str
    deadline: Deadline
    company: str = ""
    contact: str = ""
    key_path: str = ""
    message_path: str = ""
    is_direct: bool = False
    hold_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedCall:
    """A repeated call that an open order took up (并单), under the number it would have had."""

    order_id: str
    call_id: str
    kind: OrderKind
    opened_at: datetime
    caller_number: str
    company: str
    key_path: str
    message_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves a callback (通话证据): both legs, the key, seconds of talk both ways, the recording.

    `accepted_at` is when key 1 was pressed; an instant is None for what did not happen. Whether it is enough is
    told by `evidence.proves`.
    """

    call_id: str
    unit_number: str
    unit_answered_at: datetime | None = None
    accepted_at: datetime | None = None
    enterprise_number: str = ""
    enterprise_answered_at: datetime | None = None
    talk_began_at: datetime | None = None
    two_way_s: float = 0.0
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to place a callback (拨打记录), named `<order_id>-a<n>`.

    `by` is who began it; a word that an earlier version wrote stays as it is. `number` is the enterprise's. The intent
    to ring it, `enterprise_rung_at`, is written before it is rung. `epoch` is that of the lease it was made under.
    """

    attempt_id: str
    begun_at: datetime
    by: BegunBy | str
    number: str
    unit_number: str = ""
    outcome: AttemptOutcome = AttemptOutcome.UNDER_WAY
    ended_at: datetime | None = None
    enterprise_rung_at: datetime | None = None
    evidence: Evidence | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderDraft):
    """An order as the store holds it; all instants are aware, in Asia/Shanghai.

    `merged_calls` and `attempts` come oldest first. `reached_at` is when the talk of the proving attempt began;
    `overdue_at` the frozen breach; `promised_at` when a ten-minute promise is due; `dial_after` the earliest next
    dial; `original_due_at` the deadline before it was re-dated; `messages` recordings added later; `survey_level`
    1 to 5 (0: none). `written_request` is what was typed last to the online assistant, `written_requests`
    all that was, oldest first; `written_answer` what the unit typed
    (答复); `first_response_at` when somebody first reacted to an order from there. `past` is what it
    was before (`verdict.Past`). `version` counts the events applied.
    """

    order_id: str
    state: OrderState
    merged_calls: tuple[MergedCall, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    reached_at: datetime | None = None
    self_reported_at: datetime | None = None
    self_reported_by: str = ""
    self_report: str = ""
    return_reason: str = ""
    returns: int = 0
    units_before: tuple[str, ...] = ()
    overdue_at: datetime | None = None
    breach_cause: str = ""
    steps_done: frozenset[str] = frozenset()
    promised_at: datetime | None = None
    promised_by: str = ""
    dial_after: datetime | None = None
    preferred_at: datetime | None = None
    closed_at: datetime | None = None
    messages: tuple[str, ...] = ()
    survey_level: int = 0
    is_solved: bool | None = None
    original_due_at: datetime | None = None
    written_request: str = ""
    written_requests: tuple[str, ...] = ()
    written_answer: str = ""
    written_answer_at: datetime | None = None
    written_answer_by: str = ""
    first_response_at: datetime | None = None
    past: tuple[tuple[Any, ...], ...] = ()
    version: int = 0

    @property
    def due_at(self) -> datetime:
        """Return by when the unit must have rung."""
        return self.deadline.due_at

    @property
    def is_for_another_number(self) -> bool:
        """Whether no call about the order came from the number it is to be rung back at, as far as is shown."""
        callers = (self.caller_number, *(call.caller_number for call in self.merged_calls))
        return bool(self.callback_number) and not any(is_same_number(one, self.callback_number) for one in callers)

    @property
    def requests(self) -> tuple[str, ...]:
        """Return all that was typed to the online assistant, oldest first; an earlier version kept only the last."""
        return self.written_requests or ((self.written_request,) if self.written_request else ())

    @property
    def stamp(self) -> str:
        """Return what differs whenever anything has happened to the order; the store keeps the same beside it."""
        return str(self.version + len(self.merged_calls))

    @property
    def next_attempt_id(self) -> str:
        """Return the name of the attempt that comes after those known."""
        return f"{self.order_id}-a{len(self.attempts) + 1}"


@dataclass(frozen=True, slots=True)
class OpenedOrder:
    """What the caller is told: the number that counts, and by when. `was_merged`: an open order took the call up."""

    order_id: str
    was_merged: bool
    due_at: datetime
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on an order for a while; a later lease of the order has a higher `epoch`."""

    order_id: str
    epoch: int
    ttl_s: float
