"""A 3xx of a seat's or specialist's phone: written down as what it is, and followed once if the gate lets it pass."""

from __future__ import annotations

import re
from typing import Any, Protocol

from ivr.calls.cdr import REDIRECTED, CallRecord, LegRecord, PartyRole
from ivr.calls.leg import Leg
from ivr.calls.presence import Presence
from ivr.calls.ring_command import ring_command
from ivr.calls.services import CallServices
from ivr.calls.slot import Slot
from ivr.line.messages import Command, LegEnded
from routing.clock import Clock

_FOLLOWED_FOR = (PartyRole.SEAT, PartyRole.SPECIALIST)
_USER = re.compile(r"^\s*(?:\"[^\"]*\"\s*)?<?(?:sips?:([^@?>]+)@|tel:([^;?>]+))", re.IGNORECASE)


class CallOfRedirect(Protocol):
    """What a redirect needs of its call; see `call.Call`."""

    services: CallServices
    presence: Presence
    clock: Clock
    slot: Slot
    record: CallRecord
    legs: dict[int, Leg]
    log: Any
    is_caller_hidden: bool

    @property
    def is_over(self) -> bool: ...
    def new_id(self) -> int: ...
    def send(self, command: Command) -> None: ...


def target_number(uri: str) -> str:
    """Return the number that a Contact of a 3xx names, "" if it names none; its host is never rung."""
    named = _USER.match(uri)
    written = (named[1] or named[2]) if named else ""
    return re.sub(r"^(?:\+86|0086)|[-.() ]", "", written.partition(";")[0])


def follows(call: CallOfRedirect, leg: Leg, event: LegEnded) -> bool:
    """Write a redirect into the record of a leg, and tell whether the number it names is rung in its place.

    Once for each phone, by the trunk that all numbers are rung by: only to one that may be rung and is free, and only
    while the phone still matters.
    """
    record, number = leg.record, target_number(event.redirected_to)
    was_redirected = bool(record.redirected_to)
    if leg.is_gone or leg.is_up:
        return False
    is_wanted = event.by_remote and not call.is_over and not record.cause and not was_redirected
    may = bool(number) and leg.role in _FOLLOWED_FOR and call.services.may_ring(number)
    is_followed = is_wanted and may and call.presence.is_free(number) and call.slot.legs_free > 0
    if not was_redirected:
        record.redirected_to = number
    if is_followed:
        record.cause, record.sip_status = REDIRECTED, event.sip_status
        record.ended_at = call.clock.now()
    elif not record.cause:
        record.cause = "redirected, not followed"
    return is_followed


def redirect(call: CallOfRedirect, leg: Leg) -> LegRecord:
    """Ring where a phone redirects to, in place of it: whoever waits for the leg goes on waiting for it."""
    before = leg.record
    uri, from_number = call.services.dial_uri(before.redirected_to)
    record = LegRecord(
        call.new_id(), before.role, before.number, before.name,
        started_at=call.clock.now(), redirected_to=before.redirected_to,
    )  # fmt: skip
    call.record.legs.append(record)
    del call.legs[before.leg_id]
    call.legs[record.leg_id] = leg
    call.presence.take(record.redirected_to, call)
    call.send(ring_command(call, record, uri, from_number))
    call.log.info("leg_redirected", leg_id=before.leg_id, to_leg_id=record.leg_id, role=leg.role.value)
    call.services.tell("changed", call)
    return record
