"""A conversation of caller, seat and specialist: anyone may leave, and the rest go on."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from ivr.calls.call import Call
from ivr.calls.cdr import TransferResult
from ivr.calls.digits import SeatCommand, SeatKeys, SeatRequest
from ivr.calls.errors import CallEnded, NobodyAccepted
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.ringing import Search, waiting_caller
from ivr.speech.prompts import Prompt
from routing.matters import Matter


class Conversation:
    """Who talks with the caller now, and what the seat's keys do about it.

    `*` matter `#` rings that matter's specialists (`*#` those of the matter the caller chose), `*9` drops the
    specialist, `*0` leaves the two talking, `*5` holds the caller to consult and takes him back.
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
        self._keys = SeatKeys(call.manners.between_digits_s)
        self._recording = 0

    async def talk(self, *, seat: Leg | None = None, specialist: Leg | None = None) -> None:
        """Join the caller with those given and see to everyone until the caller is the only one left."""
        self._seat, self._specialist = seat, specialist
        if seat is not None:
            seat.key_listener = self._key_pressed
        self._rejoin()
        while self._seat or self._specialist or self._search:
            what, subject = await self._call.happenings.next(self._call.caller)
            if what == "left":
                self._left(subject)
            elif what == "seat asks":
                await self._seat_asks(subject)
            elif what == "search over":
                self._search_over(subject)
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
        else:
            return
        if self._seat or self._specialist or self._search:
            self._rejoin()

    # -- the seat's keys --------------------------------------------------------------------------------------

    def _key_pressed(self, leg: Leg, digit: str) -> None:
        request = self._keys.press(digit, self._call.reactor.seconds())
        if request is not None:
            self._call.happenings.put("seat asks", request)

    async def _seat_asks(self, request: SeatRequest) -> None:
        if self._seat is None:
            return
        self._call.step(f"seat {request.command.name.lower()}")
        if request.command is SeatCommand.BRING_IN:
            await self._bring_in(request.matter_code)
        elif request.command is SeatCommand.DROP:
            self._drop()
        elif request.command is SeatCommand.LEAVE:
            self._leave()
        else:
            self._is_consulting = not self._is_consulting
            self._rejoin()
            self._tell_seat(Prompt.SEAT_CALLER_HELD if self._is_consulting else Prompt.SEAT_CALLER_BACK)

    async def _bring_in(self, code: str) -> None:
        matter = self._office.directory.matter_by_code(code) if code else self._matter
        if matter is None:
            self._tell_seat(Prompt.SEAT_UNKNOWN_CODE)
        elif matter.belongs_elsewhere:
            self._tell_seat(Prompt.SEAT_BELONGS_ELSEWHERE, name=matter.elsewhere_name)
        elif self._specialist is not None or self._search is not None:
            self._tell_seat(Prompt.SEAT_SPECIALIST_THERE)
        else:
            self._matter = matter
            self._call.request.matter_id = self._call.record.matter_id = matter.matter_id
            self._call.request.unit_id = self._call.record.unit_id = matter.unit_id
            await self._orders.note_request(self._call)
            self._start_search(matter)

    def _start_search(self, matter: Matter) -> None:
        self._call.record.transfer = TransferResult.ABANDONED  # until somebody accepts or all have been tried
        search = self._search = Search(self._call, self._office.tiers(matter), waiting_caller(self._call, matter))
        ensureDeferred(self._await_result(search))
        self._tell_seat(Prompt.SEAT_SPECIALIST_RINGING, matter=matter.name)
        search.start()

    def _drop(self) -> None:
        if self._search is not None:
            self._search.stop("the seat called it off")
            self._search = None
        if self._specialist is not None:
            self._specialist.hangup("dropped by the seat")

    def _leave(self) -> None:
        """The seat goes when somebody else is, or will be, with the caller; else it may not leave him alone."""
        assert self._seat is not None
        if self._specialist is None and self._search is None:
            self._tell_seat(Prompt.SEAT_NOBODY_ELSE)
            return
        self._is_consulting = False
        self._seat.hangup("the seat left")

    def _tell_seat(self, prompt: Prompt, **values: Any) -> None:
        """Whisper to the seat alone, while the conversation goes on."""
        if self._seat is not None:
            self._call.whisper(self._seat, prompt, **values)

    # -- the search -------------------------------------------------------------------------------------------

    async def _await_result(self, search: Search) -> None:
        try:
            found: Leg | NobodyAccepted = await search.result
        except NobodyAccepted as nobody:
            found = nobody
        except CallEnded:
            return  # whoever talks is told of it at his own await
        self._call.happenings.put("search over", found)

    def _search_over(self, found: Leg | NobodyAccepted) -> None:
        self._search = None
        if isinstance(found, NobodyAccepted):
            self._call.record.transfer = TransferResult.NOBODY
            self._call.request.ten_minutes_promised |= found.promised
            self._tell_seat(Prompt.SEAT_NOBODY_ACCEPTS)
            return
        self._call.record.transfer = TransferResult.ACCEPTED
        self._is_consulting = False
        if not found.is_gone:
            self._specialist = found
            self._rejoin()
            for leg in self._call.joined:
                self._call.whisper(leg, Prompt.JOINED)
