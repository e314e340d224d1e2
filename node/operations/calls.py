"""What people do with running calls from the console: the same as by the keys of a seat's phone."""

from __future__ import annotations

from callback_scheduler.orders.actor import Actor
from ivr.calls.cdr import PartyRole
from ivr.calls.digits import SeatCommand, SeatRequest, Target, TargetKind
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.refusals import Refusal, refused
from node.operations.running_calls import RunningCalls
from routing.directory import Directory
from routing.search import DirectorySearch, Found


class CallOperations:
    """Asks of a call what its seat may ask. All acts raise OperationRefused."""

    def __init__(self, running: RunningCalls, office: Office) -> None:
        self._running, self._office = running, office
        self._index: tuple[Directory, DirectorySearch] | None = None

    def search(self, words: str, limit: int = 20) -> list[Found]:
        """Return matters, units and people by what a seat types, the best first; see `routing.search`."""
        directory = self._office.directory
        if self._index is None or self._index[0] is not directory:
            self._index = directory, DirectorySearch(directory)
        return self._index[1].find(words, limit)

    async def transfer(
        self, call_id: str, target: str, who: Actor, *, kind: TargetKind | str = "", seat_number: str = ""
    ) -> None:
        """Ring the specialists of a matter, of a unit, or one person by number, and join whoever accepts.

        Without `kind`, `target` is looked for among matters, then numbers of people, then units. `seat_number` is the
        phone of who asks: a call of another seat is refused; "" is for those who may act in every call.
        """
        try:
            found = TargetKind(kind) if kind else self._kind_of(target)
        except ValueError as wrong:
            raise refused(Refusal.UNKNOWN_TARGET) from wrong
        request = SeatRequest(SeatCommand.BRING_IN, target=Target(found, target), by=str(who))
        self._ask(call_id, request, seat_number)

    async def hold(self, call_id: str, who: Actor, *, seat_number: str = "", is_held: bool | None = None) -> None:
        """Let the caller hear music while seat and specialist talk, or take them back.

        `is_held` says which of the two is wanted, so that asking twice changes nothing; None: the other one than now.
        """
        talk = self._running.needed(call_id).seat_talk
        if talk is not None and talk.is_held is is_held:
            return
        self._ask(call_id, SeatRequest(SeatCommand.CONSULT, by=str(who)), seat_number)

    async def drop(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        """Take the specialist out, or call off the search for one."""
        self._ask(call_id, SeatRequest(SeatCommand.DROP, by=str(who)), seat_number)

    async def leave(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        """Let the seat leave the two talking."""
        self._ask(call_id, SeatRequest(SeatCommand.LEAVE, by=str(who)), seat_number)

    def _ask(self, call_id: str, request: SeatRequest, seat_number: str) -> None:
        call = self._running.needed(call_id)
        talk = call.seat_talk
        if seat_number and not any(_is_live_seat(leg, seat_number) for leg in call.legs.values()):
            raise refused(Refusal.NOT_YOUR_CALL)
        if talk is None or call.is_over:
            raise refused(Refusal.NOBODY_THERE)
        if (objection := talk.objection(request)) is not None:
            raise objection.error()
        talk.ask(request)

    def _kind_of(self, target: str) -> TargetKind:
        directory = self._office.directory
        if any(matter.matter_id == target for matter in directory.matters):
            return TargetKind.MATTER
        if directory.person_at(target) is not None:
            return TargetKind.PERSON
        return TargetKind.UNIT


def _is_live_seat(leg: Leg, number: str) -> bool:
    return leg.role is PartyRole.SEAT and leg.record.number == number and not leg.is_gone
