"""A conversation of caller, seat and specialist: anyone may leave, and the rest go on."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from ivr.calls.call import Call
from ivr.calls.cdr import TransferResult
from ivr.calls.digits import SeatCommand, SeatKeys, SeatRequest
from ivr.calls.errors import CallEnded, NobodyAccepted
from ivr.calls.happenings import Happening
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.refusals import Objection, Refusal
from ivr.calls.ringing import Search, waiting_caller
from ivr.calls.steps import CallStep
from ivr.flows.transfer_target import TransferTarget, find_target
from ivr.speech.prompts import Prompt
from routing.matters import Matter

# What a seat hears when it asks for the impossible. The other refusals are for the page only, which shows them itself.
_SAID = {
    Refusal.UNKNOWN_TARGET: Prompt.SEAT_UNKNOWN_CODE,
    Refusal.BELONGS_ELSEWHERE: Prompt.SEAT_BELONGS_ELSEWHERE,
    Refusal.SPECIALIST_THERE: Prompt.SEAT_SPECIALIST_THERE,
    Refusal.PERSON_ABSENT: Prompt.SEAT_NOBODY_ACCEPTS,
    Refusal.PERSON_BUSY: Prompt.SEAT_NOBODY_ACCEPTS,
    Refusal.NOBODY_ELSE: Prompt.SEAT_NOBODY_ELSE,
}

_STEP_OF = {
    SeatCommand.BRING_IN: CallStep.SEAT_BRINGS_IN,
    SeatCommand.DROP: CallStep.SEAT_DROPS,
    SeatCommand.LEAVE: CallStep.SEAT_LEAVES,
    SeatCommand.CONSULT: CallStep.SEAT_CONSULTS,
}


class Conversation:
    """Who talks with the caller now, and what the seat does about it, by keys or on its page.

    `*` matter `#` rings that matter's specialists (`*#` those of the matter the caller chose), `*9` drops the
    specialist, `*0` leaves the two talking, `*5` holds the caller to consult and takes them back.
    """

    def __init__(self, call: Call, office: Office, orders: Orders, matter: Matter) -> None:
        self._call = call
        self._office = office
        self._orders = orders
        self._matter = matter
        self._seat: Leg | None = None
        self._specialist: Leg | None = None
        self._search: Search | None = None
        self._is_consulting = False
        self.was_cut_off = False  # whoever talked with the caller last went silent
        self._target: TransferTarget | None = None
        self._keys = SeatKeys(call.manners.between_digits_s)
        self._recording = 0

    async def talk(self, *, seat: Leg | None = None, specialist: Leg | None = None) -> None:
        """Join the caller with those given and see to everyone until the caller is the only one left."""
        self._seat, self._specialist = seat, specialist
        if seat is not None:
            seat.key_listener = self._key_pressed
        self._call.seat_talk = self
        self._rejoin()
        while self._seat or self._specialist or self._search:
            what, subject = await self._call.happenings.next(self._call.caller)
            if what is Happening.LEFT:
                self._left(subject)
            elif what is Happening.SEAT_ASKS:
                await self._seat_asks(subject)
            elif what is Happening.SEARCH_OVER:
                self._search_over(subject)
        self._call.end_talk()
        self._call.caller.forget_keys()  # pressed while talking, they answer no question

    # -- who is joined ----------------------------------------------------------------------------------------

    def _rejoin(self) -> None:
        """Join who is there; a caller with nobody to talk to hears music."""
        parties = [leg for leg in (self._seat, self._specialist) if leg is not None]
        if not parties:
            self._call.join()
            self._call.entertain()
            return
        if self._is_consulting:
            self._call.hold(*parties)
        else:
            self._call.join(self._call.caller, *parties)
        self._record(parties)

    def _record(self, parties: list[Leg]) -> None:
        if not self._call.manners.record_calls:
            return
        if not self._recording:
            self._recording, _ = self._call.record_legs("talk", self._call.caller, *parties)
        else:
            self._call.recordings.change(self._recording, (self._call.caller, *parties))

    def _left(self, leg: Leg) -> None:
        if leg is self._seat:
            self._seat, self._is_consulting = None, False
        elif leg is self._specialist:
            self._specialist = None
            self._tell_seat(Prompt.SEAT_SPECIALIST_GONE)
            if leg.went_silent and self._seat is not None and self._target is not None:
                self._start_search(self._target)
        else:
            return
        self.was_cut_off = leg.went_silent
        if self._seat or self._specialist or self._search:
            self._rejoin()

    # -- what the seat asks -----------------------------------------------------------------------------------

    @property
    def seat(self) -> Leg | None:
        """The seat's leg, while it is there."""
        return self._seat

    @property
    def is_held(self) -> bool:
        """Whether the caller hears music while the others talk."""
        return self._is_consulting

    def ask(self, request: SeatRequest) -> None:
        """Take what a seat asks for, by keys or on its page; it is done in its turn."""
        self._call.happenings.put(Happening.SEAT_ASKS, request)

    def objection(self, request: SeatRequest) -> Objection | None:
        """Return why a request is not possible now; None if it is."""
        if self._seat is None:
            return Objection(Refusal.NOBODY_THERE)
        has_other = self._specialist is not None or self._search is not None
        if request.command is SeatCommand.BRING_IN:
            target = find_target(self._office, self._call.presence, request, self._matter)
            if isinstance(target, Objection):
                return target
            return Objection(Refusal.SPECIALIST_THERE) if has_other else None
        if request.command is SeatCommand.DROP and not has_other:
            return Objection(Refusal.NOBODY_TO_DROP)
        if request.command is SeatCommand.LEAVE and not has_other:
            return Objection(Refusal.NOBODY_ELSE)
        return None

    def _key_pressed(self, leg: Leg, digit: str) -> None:
        request = self._keys.press(digit, self._call.reactor.seconds())
        if request is not None:
            self.ask(request)

    async def _seat_asks(self, request: SeatRequest) -> None:
        if self._seat is None:
            return
        self._call.step(_STEP_OF[request.command])
        self._call.log.info("seat_asked", command=request.command.name.lower(), by=request.by)
        if (objection := self.objection(request)) is not None:
            self._say_no(objection)
        elif request.command is SeatCommand.BRING_IN:
            await self._bring_in(request)
        elif request.command is SeatCommand.DROP:
            self._drop()
        elif request.command is SeatCommand.LEAVE:
            self._leave()
        else:
            self._is_consulting = not self._is_consulting
            self._rejoin()
            self._tell_seat(Prompt.SEAT_CALLER_HELD if self._is_consulting else Prompt.SEAT_CALLER_BACK)

    def _say_no(self, objection: Objection) -> None:
        if (prompt := _SAID.get(objection.reason)) is not None:
            self._tell_seat(prompt, **({"name": objection.name} if prompt.takes else {}))

    async def _bring_in(self, request: SeatRequest) -> None:
        target = find_target(self._office, self._call.presence, request, self._matter)
        assert isinstance(target, TransferTarget)
        self._matter = target.matter
        self._call.request.matter_id = self._call.record.matter_id = target.matter.matter_id
        self._call.request.unit_id = self._call.record.unit_id = target.unit_id
        await self._orders.note_request(self._call)
        self._start_search(target)

    def _start_search(self, target: TransferTarget) -> None:
        self._target = target
        self._call.record.transfer = TransferResult.ABANDONED  # until somebody accepts or all have been tried
        search = self._search = Search(self._call, target.tiers, waiting_caller(self._call, target.matter))
        ensureDeferred(self._await_result(search))
        self._tell_seat(Prompt.SEAT_SPECIALIST_RINGING, matter=target.matter.name)
        search.start()

    def _drop(self) -> None:
        if self._search is not None:
            self._search.stop("the seat called it off")
            self._search = None
        if self._specialist is not None:
            self._specialist.hangup("dropped by the seat")

    def _leave(self) -> None:
        """The seat goes: somebody else is, or will be, with the caller."""
        assert self._seat is not None
        self._is_consulting = False
        self._seat.hangup("the seat left")

    def _tell_seat(self, prompt: Prompt, **values: Any) -> None:
        """Whisper to the seat alone, while the conversation goes on."""
        if self._seat is not None:
            self._call.whisper(self._seat, prompt, **values)

    # -- the search -------------------------------------------------------------------------------------------

    async def _await_result(self, search: Search) -> None:
        try:
            result: Leg | NobodyAccepted = await search.result
        except NobodyAccepted as nobody:
            result = nobody
        except CallEnded:
            return  # whoever talks is told of it at an await of its own
        self._call.happenings.put(Happening.SEARCH_OVER, result)

    def _search_over(self, result: Leg | NobodyAccepted) -> None:
        self._search = None
        if isinstance(result, NobodyAccepted):
            self._call.record.transfer = TransferResult.NOBODY
            self._call.request.ten_minutes_promised |= result.promised
            self._tell_seat(Prompt.SEAT_NOBODY_ACCEPTS)
            return
        self._call.record.transfer = TransferResult.ACCEPTED
        self._is_consulting = False
        if not result.is_gone:
            self._specialist = result
            self._rejoin()
            for leg in self._call.joined:
                self._call.whisper(leg, Prompt.JOINED)
