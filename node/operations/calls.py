"""What people do with running calls from the console: the same as by the keys of a seat's phone, and supervision."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import structlog

from callback_scheduler.errors import StoreUnavailable
from ivr.calls.call import Call
from ivr.calls.cdr import Role
from ivr.calls.digits import SeatCommand, SeatRequest, Target, TargetKind
from ivr.calls.leg import Leg
from ivr.calls.refusals import Refusal, refused
from ivr.calls.seat_talk import SeatTalk
from ivr.calls.supervision import Mode, Supervision
from node.operations.number_check import NumberCheck
from node.operations.seats import SeatOperations
from node.rooms import Rooms
from routing.directory import Directory
from routing.search import DirectorySearch, Found

log = structlog.get_logger()

_CALLS_SHOWN, _CALLS_SEARCHED = 5, 500
_PHONE = re.compile(r"\+?[0-9]{2,15}")


class CallOperations(SeatOperations):
    """Operations on calls and seats; `start` once the ledger has started. All raise OperationRefused."""

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms)
        self._number_check = NumberCheck(rooms)
        self._index: tuple[Directory, DirectorySearch] | None = None
        self._before: dict[str, list[dict[str, Any]]] = {}  # by running call: the calls before of who rings

    def search(self, words: str, limit: int = 20) -> list[Found]:
        """Return matters, units and people by what a seat types, the best first; see `routing.search`."""
        directory = self._rooms.office.directory
        if self._index is None or self._index[0] is not directory:
            self._index = directory, DirectorySearch(directory)
        return self._index[1].find(words, limit)

    # -- the call in hand ---------------------------------------------------------------------------------------------

    async def seat_call(self, number: str) -> dict[str, Any] | None:
        """Return the call a seat is in, ringing or talking, with what it may do and what is known of the caller.

        `open_orders` and `last_calls` are None while Redis is away.
        """
        call = self._call_of(number)
        if call is None:
            return None
        found = self.call_in_hand(call)
        found["open_orders"] = found["last_calls"] = None
        try:
            caller = call.record.caller_number
            found["open_orders"] = await self._rooms.ledger.orders.open_orders_of(caller)
            found["last_calls"] = await self._calls_before(call)
        except StoreUnavailable as away:
            log.warning("caller_not_looked_up", call_id=call.call_id, error=str(away))
        return found

    async def _calls_before(self, call: Call) -> list[dict[str, Any]]:
        """Return the last calls of who rings; looked up once a call, however often a page asks."""
        if call.call_id not in self._before:
            caller, calls = call.record.caller_number, await self._rooms.ledger.calls(_CALLS_SEARCHED)
            running = {each.call_id for each in self.running_calls()}
            self._before = {call_id: known for call_id, known in self._before.items() if call_id in running}
            self._before[call.call_id] = [each for each in calls if each.get("caller_number") == caller][:_CALLS_SHOWN]
        return self._before[call.call_id]

    def live_call(self, call_id: str) -> dict[str, Any] | None:
        """Return what is to be seen of a call that runs; None if it is over."""
        found = next((call for call in self.running_calls() if call.call_id == call_id), None)
        return self.call_in_hand(found) if found is not None else None

    def call_in_hand(self, call: Call) -> dict[str, Any]:
        """Return what is to be seen of a running call without asking anybody."""
        record, directory, talk = call.record, self._rooms.office.directory, call.seat_talk
        return {
            "call_id": call.call_id,
            "direction": record.direction.value,
            "caller": record.caller_number,
            "called": record.called_number,
            "matter_id": record.matter_id,
            "matter": _matter_name(directory, record.matter_id),
            "unit_id": record.unit_id,
            "step": record.steps[-1] if record.steps else "",
            "offered_at": record.offered_at.isoformat(),
            "seconds": self._seconds_since(record.offered_at),
            "talked_s": round(call.talked_s, 1),
            "is_held": talk is not None and talk.is_held,
            "parties": [self._party(call, leg) for leg in call.legs.values() if not leg.is_gone],
            "may": {command: self._why_not(talk, request) for command, request in _EVERY_REQUEST.items()},
            "supervision": call.supervision.status() if call.supervision is not None else None,
        }

    def _party(self, call: Call, leg: Leg) -> dict[str, Any]:
        record = leg.record
        is_held = call.seat_talk is not None and call.seat_talk.is_held and leg.role is Role.CALLER
        state = "held" if is_held else "talking" if leg in call.joined else "answered" if leg.is_up else "ringing"
        return {
            "role": record.role.value,
            "number": record.number,
            "name": record.name,
            "state": state,
            "seconds": self._seconds_since(record.answered_at or record.started_at),
        }

    @staticmethod
    def _why_not(talk: SeatTalk | None, request: SeatRequest) -> str:
        """Return "" for what the seat may do now, else the key of the reason."""
        if talk is None:
            return str(Refusal.NOBODY_THERE.value)
        objection = talk.objection(request)
        return str(objection.reason.value) if objection is not None else ""

    # -- what a seat does ---------------------------------------------------------------------------------------------

    async def transfer(
        self, call_id: str, target: str, who: str, *, kind: TargetKind | str = "", seat_number: str = ""
    ) -> None:
        """Ring the specialists of a matter, of a unit, or one person by number, and join whoever accepts.

        Without `kind`, `target` is looked for among matters, then numbers of people, then units. `seat_number` is the
        phone of who asks: a call of another seat is refused; "" is for those who may act in every call.
        """
        try:
            found = TargetKind(kind) if kind else self._kind_of(target)
        except ValueError as wrong:
            raise refused(Refusal.UNKNOWN_TARGET) from wrong
        request = SeatRequest(SeatCommand.BRING_IN, target=Target(found, target), by=who)
        self._ask(call_id, request, seat_number)

    async def hold(self, call_id: str, who: str, *, seat_number: str = "", is_held: bool | None = None) -> None:
        """Let the caller hear music while seat and specialist talk, or take him back.

        `is_held` says which of the two is wanted, so that asking twice changes nothing; None: the other one than now.
        """
        talk = self._running(call_id).seat_talk
        if talk is not None and talk.is_held is is_held:
            return
        self._ask(call_id, SeatRequest(SeatCommand.CONSULT, by=who), seat_number)

    async def drop(self, call_id: str, who: str, *, seat_number: str = "") -> None:
        """Take the specialist out, or call off the search for one."""
        self._ask(call_id, SeatRequest(SeatCommand.DROP, by=who), seat_number)

    async def leave(self, call_id: str, who: str, *, seat_number: str = "") -> None:
        """Let the seat leave the two talking."""
        self._ask(call_id, SeatRequest(SeatCommand.LEAVE, by=who), seat_number)

    def _ask(self, call_id: str, request: SeatRequest, seat_number: str) -> None:
        call = self._running(call_id)
        talk = call.seat_talk
        if seat_number and not any(_is_live_seat(leg, seat_number) for leg in call.legs.values()):
            raise refused(Refusal.NOT_YOUR_CALL)
        if talk is None or call.is_over:
            raise refused(Refusal.NOBODY_THERE)
        if (objection := talk.objection(request)) is not None:
            raise objection.error()
        talk.ask(request)

    def _kind_of(self, target: str) -> TargetKind:
        directory = self._rooms.office.directory
        if any(matter.matter_id == target for matter in directory.matters):
            return TargetKind.MATTER
        if directory.person_at(target) is not None:
            return TargetKind.PERSON
        return TargetKind.UNIT

    # -- what a supervisor does ---------------------------------------------------------------------------------------

    async def supervise(
        self, call_id: str, supervisor_number: str, mode: Mode | str, who: str, *, name: str = ""
    ) -> str:
        """Ring a supervisor's phone and let it hear a call; return the id of the supervision while it rings."""
        call, wanted = self._running(call_id), _mode(mode)
        others = (leg for leg in call.joined if leg.role in (Role.SEAT, Role.SPECIALIST))
        if call.is_over or next(others, None) is None:
            raise refused(Refusal.NOTHING_TO_SUPERVISE)
        if call.supervision is not None:
            raise refused(Refusal.SUPERVISED_ALREADY)
        own_numbers = self._rooms.office.settings.sip.own_numbers
        if not _PHONE.fullmatch(supervisor_number) or supervisor_number in own_numbers:
            raise refused(Refusal.WRONG_NUMBER)
        if not call.presence.is_free(supervisor_number):
            raise refused(Refusal.SUPERVISOR_BUSY)
        if call.slot.legs_free < 1:
            raise refused(Refusal.NO_ROOM)
        return Supervision.begin(call, supervisor_number, name, wanted, who).supervision_id

    async def change_supervision(self, supervision_id: str, mode: Mode | str, who: str) -> None:
        """Let others hear the supervisor, or hear him no more."""
        self._supervision(supervision_id).change(_mode(mode), who)

    async def stop_supervision(self, supervision_id: str, who: str) -> None:
        """Take the supervisor out of the call; the others notice nothing."""
        self._supervision(supervision_id).stop(f"stopped by {who}")

    def _supervision(self, supervision_id: str) -> Supervision:
        for call in self.running_calls():
            if call.supervision is not None and call.supervision.supervision_id == supervision_id:
                return call.supervision
        raise refused(Refusal.NO_SUPERVISION)

    # -- numbers ------------------------------------------------------------------------------------------------------

    async def test_dial(self, unit_id: str, who: str) -> list[dict[str, Any]]:
        """Ring each number of a unit and say a sentence to who answers; see `NumberCheck`."""
        return await self._number_check.run(unit_id, who)

    def last_check(self, unit_id: str) -> dict[str, Any] | None:
        """Return the last check of a unit's numbers, with what is known of one under way; None if there was none."""
        return self._number_check.last(unit_id)

    # -- inside -------------------------------------------------------------------------------------------------------

    def running_calls(self) -> list[Call]:
        """Return all calls of this moment, those we placed among them."""
        return list(chain(self._rooms.desk.calls(), self._rooms.callbacks.calls()))

    def _running(self, call_id: str) -> Call:
        found = next((call for call in self.running_calls() if call.call_id == call_id), None)
        if found is None:
            raise refused(Refusal.NO_SUCH_CALL)
        return found


_EVERY_REQUEST = {
    "transfer": SeatRequest(SeatCommand.BRING_IN),
    "hold": SeatRequest(SeatCommand.CONSULT),
    "drop": SeatRequest(SeatCommand.DROP),
    "leave": SeatRequest(SeatCommand.LEAVE),
}


def _is_live_seat(leg: Leg, number: str) -> bool:
    return leg.role is Role.SEAT and leg.record.number == number and not leg.is_gone


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode)
    except ValueError as wrong:
        raise refused(Refusal.UNKNOWN_MODE) from wrong


def _matter_name(directory: Directory, matter_id: str) -> str:
    return next((matter.name for matter in directory.matters if matter.matter_id == matter_id), "")
