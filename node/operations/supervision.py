"""What a supervisor does with a running call: listens in, whispers, joins, leaves."""

from __future__ import annotations

from callback_scheduler.orders.actor import Actor
from callback_scheduler.timetable.may_dial import DialFor
from ivr.calls.cdr import PartyRole
from ivr.calls.office import Office
from ivr.calls.refusals import Refusal, refused
from ivr.calls.supervision import Mode, Supervision
from node.operations.running_calls import RunningCalls


class SupervisionOperations:
    """Begins, changes and ends the supervision of a call, one at a time in each. All raise OperationRefused."""

    def __init__(self, running: RunningCalls, office: Office) -> None:
        self._running, self._office = running, office

    async def begin(
        self, call_id: str, supervisor_number: str, mode: Mode | str, who: Actor, *, name: str = ""
    ) -> str:
        """Ring a supervisor's phone and let them hear a call; return the id of the supervision while it rings."""
        call, wanted = self._running.needed(call_id), _mode(mode)
        others = (leg for leg in call.joined if leg.role in (PartyRole.SEAT, PartyRole.SPECIALIST))
        if call.is_over or next(others, None) is None:
            raise refused(Refusal.NOTHING_TO_SUPERVISE)
        if call.supervision is not None:
            raise refused(Refusal.SUPERVISED_ALREADY)
        number = self._office.dial_rules.house(supervisor_number)
        if number is None or self._office.may_dial_now(call.record.unit_id, number, DialFor.OWN_PHONE) is not None:
            raise refused(Refusal.WRONG_NUMBER)
        if not call.presence.is_free(number):
            raise refused(Refusal.SUPERVISOR_BUSY)
        if call.slot.legs_free < 1:
            raise refused(Refusal.NO_ROOM)
        return Supervision.begin(call, number, name, wanted, str(who)).supervision_id

    async def change(self, supervision_id: str, mode: Mode | str, who: Actor) -> None:
        """Let others hear the supervisor, or hear them no more."""
        self._supervision(supervision_id).change(_mode(mode), str(who))

    async def stop(self, supervision_id: str, who: Actor) -> None:
        """Take the supervisor out of the call; the others notice nothing."""
        self._supervision(supervision_id).stop(f"stopped by {who}")

    def end_all_of(self, name: str) -> None:
        """Take a supervisor, by the name of their account, out of every call: they may listen no longer."""
        for call in self._running.all():
            if call.supervision is not None and Actor.read(call.supervision.who).name == name:
                call.supervision.stop("may supervise no longer")

    def _supervision(self, supervision_id: str) -> Supervision:
        for call in self._running.all():
            if call.supervision is not None and call.supervision.supervision_id == supervision_id:
                return call.supervision
        raise refused(Refusal.NO_SUPERVISION)


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode)
    except ValueError as wrong:
        raise refused(Refusal.UNKNOWN_MODE) from wrong
