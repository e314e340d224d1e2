"""号码检查: the numbers of a unit are rung politely in the morning, before somebody waits for them."""

from __future__ import annotations

from enum import Enum
from typing import Any

from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialReason
from ivr.calls.cdr import LegRecord
from ivr.calls.office import Office
from ivr.calls.presence import Presence
from ivr.calls.refusals import Refusal, refused
from ivr.dispatch.outgoing import OutgoingCalls
from routing.clock import Clock
from routing.errors import UnknownUnit
from routing.tiers import Specialist


class CheckResult(Enum):
    """What came of ringing one number."""

    ANSWERED = "answered"  # somebody, or a machine, answered
    BUSY = "busy"
    NO_ANSWER = "no_answer"  # it rang to the end, or nobody came
    WRONG_NUMBER = "wrong_number"  # the network knows no such number
    REFUSED = "refused"  # declined, or not allowed from here
    NO_SERVICE = "no_service"  # the network, the trunk or the line failed: the number is not proved wrong
    IN_CALL = "in_call"  # it talks with us right now, so it was not rung
    NO_LINE = "no_line"  # all lines were needed for calls


_BUSY, _WRONG, _NO_ANSWER = {486, 600}, {404, 410, 484, 604}, {408, 480, 487}


class NumberCheck:
    """Rings the numbers of a unit one after the other, at the hours of the gate, one check a unit at a time."""

    def __init__(
        self, callbacks: OutgoingCalls, *, office: Office, presence: Presence, ledger: Ledger, clock: Clock
    ) -> None:
        self._callbacks, self._office, self._presence = callbacks, office, presence
        self._ledger, self._clock = ledger, clock
        self._running: set[str] = set()
        self._last: dict[str, dict[str, Any]] = {}

    async def run(self, unit_id: str, who: Actor) -> list[dict[str, Any]]:
        """Return number, name, tier, result, sip_status and seconds of each number, when all have been rung.

        Absent people are rung too: it is their number that is checked. The journal keeps it as "numbers_checked"; a
        check that it cannot keep is none, and the one before is the last.
        """
        at = self._clock.now()
        try:
            tiers = self._office.directory.unit(unit_id).tiers
        except UnknownUnit as wrong:
            raise refused(Refusal.UNKNOWN_UNIT) from wrong
        self._check_hour(unit_id)
        if unit_id in self._running:
            raise refused(Refusal.CHECK_RUNS)
        if self._callbacks.free_lines() < 1:
            raise refused(Refusal.NO_LINE)
        self._running.add(unit_id)
        before = self._last.get(unit_id)
        try:
            people = [(person, tier) for tier, group in enumerate(tiers, start=1) for person in group.specialists]
            results: list[dict[str, Any]] = []
            self._last[unit_id] = {"at": at, "who": str(who), "numbers": len(people), "results": results}
            for person, tier in people:
                results.append(await self._check(unit_id, person, tier))
            await self._ledger.write("numbers_checked", {"unit_id": unit_id, "who": str(who), "results": results}, at)
        except SchedulerError as wrong:
            self._put_back(unit_id, before)
            raise refused(Refusal.CHECK_NOT_STORED) from wrong
        finally:
            self._running.discard(unit_id)
        return results

    def _put_back(self, unit_id: str, before: dict[str, Any] | None) -> None:
        if before is None:
            del self._last[unit_id]
        else:
            self._last[unit_id] = before

    def last(self, unit_id: str) -> dict[str, Any] | None:
        """Return the last check of a unit since the node started: at, who, how many numbers, results so far."""
        found = self._last.get(unit_id)
        return None if found is None else found | {"is_running": unit_id in self._running}

    def _check_hour(self, unit_id: str) -> None:
        """Refuse a check at an hour when nobody is rung by hand, or right after the last one of the unit."""
        last = self._last.get(unit_id)
        past = DialPast(rung_at=(last["at"],) if last and unit_id not in self._running else ())
        people = [person for tier in self._office.directory.unit(unit_id).tiers for person in tier.specialists]
        for person in people[:1]:
            refusal = self._office.may_dial_now(unit_id, person.number, DialFor.NUMBER_CHECK, past)
            if refusal is not None and refusal.reason is DialReason.HOURS:
                raise refused(Refusal.NOT_AT_THIS_HOUR)
            if refusal is not None and refusal.reason is DialReason.PAUSE:
                raise refused(Refusal.CHECKED_JUST_NOW)

    async def _check(self, unit_id: str, person: Specialist, tier: int) -> dict[str, Any]:
        leg: LegRecord | None = None
        if not self._office.dial_rules.may_dial(person.number):
            result = CheckResult.REFUSED
        elif not self._presence.is_free(person.number):
            result = CheckResult.IN_CALL
        else:
            leg = await self._callbacks.check_number(unit_id, person.name, person.number)
            result = result_of(leg) if leg is not None else CheckResult.NO_LINE
        return {
            "number": person.number,
            "name": person.name,
            "tier": tier,
            "result": result.value,
            "sip_status": leg.sip_status if leg is not None else 0,
            "seconds": _rang_s(leg) if leg is not None else 0.0,
        }


def result_of(leg: LegRecord) -> CheckResult:
    """Return what a leg that has ended says about its number."""
    if leg.answered_at is not None:
        return CheckResult.ANSWERED
    if leg.sip_status in _BUSY:
        return CheckResult.BUSY
    if leg.sip_status in _WRONG:
        return CheckResult.WRONG_NUMBER
    if leg.cause == "no answer" or leg.sip_status in _NO_ANSWER:
        return CheckResult.NO_ANSWER
    is_refused = 300 <= leg.sip_status < 500 or leg.sip_status >= 600
    return CheckResult.REFUSED if is_refused else CheckResult.NO_SERVICE


def _rang_s(leg: LegRecord) -> float:
    """Return how long the phone rang until it was answered, or until the end."""
    until = leg.answered_at or leg.ended_at
    if until is None or leg.started_at is None:
        return 0.0
    return round((until - leg.started_at).total_seconds(), 1)
