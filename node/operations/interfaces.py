"""All that people may see and do on a running node: the seam between the console and the node.

The console and the tests' fakes know only these; node/operations/operations.py has the real thing. Everything runs in
the reactor's thread. `who` is an `Actor` where it bounds what may be done, else the text of one ("role:name"). Acts
raise OperationRefused (with a text and a key) when they are not possible now, and StoreUnavailable while Redis is away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from callback_scheduler.reports.report import Question, Report
from callback_scheduler.store.search import OrderFilter
from config.settings import Settings
from ivr.calls.digits import TargetKind
from ivr.calls.seat_states import SeatState
from ivr.calls.supervision import Mode
from node.operations.happenings import Listener
from node.operations.site.interfaces import Site
from routing.calendar import Calendar
from routing.directory import Directory
from routing.hours import Hours
from routing.search import Found

Wish = Literal["call_now", "callback"]


class Orders(Protocol):
    """Reads orders and acts on them; a unit acts on its own only.

    Every act is on disk on return, and gives the order as it is then.
    """

    async def one(self, order_id: str) -> Order | None:
        """Return the order a number counts as; None if it was never given."""

    async def find(self, filters: OrderFilter) -> list[Order]:
        """Return a page of orders, newest first."""

    async def owed(self, limit: int = 1000) -> list[Order]:
        """Return open orders, earliest deadline first."""

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""

    async def named(self, order_ids: list[str]) -> list[Order]:
        """Return orders by their numbers: those behind a figure."""

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many orders each unit has in each state, by unit and state."""

    async def events(self, order_id: str) -> list[dict[str, Any]]:
        """Return what has happened to an order, oldest first: event_id, type, at (ISO 8601) and payload."""

    async def acknowledge(self, order_id: str, who: Actor) -> Order:
        """Note that the unit has seen the order."""

    async def give_back(self, order_id: str, why: str, who: Actor) -> Order:
        """退单: the unit says that it is not responsible; the deadline stays."""

    async def self_report(self, order_id: str, text: str, who: Actor) -> Order:
        """Note that the unit says it has rung: kept apart from evidence, and never counted as on time by itself."""

    async def write_answer(self, order_id: str, text: str, who: Actor) -> Order:
        """Keep what the unit answers in writing (答复) with the order; the last one counts, all are in the journal."""

    async def name_enterprise(self, order_id: str, company: str, contact: str, who: Actor) -> Order:
        """Keep the name of the enterprise and whom to ask for there; "" leaves what is known."""

    async def ring_back(self, order_id: str, number: str, who: Actor, own_number: str = "") -> Order:
        """Ring `number` at the unit, and once 1 is pressed there the enterprise; returns when the attempt has begun.

        `number` is one of the unit's in the directory, or `own_number`: the phone of the account that asks, which the
        caller of this has checked.
        """

    async def set_number(self, order_id: str, number: str, why: str, who: Actor) -> Order:
        """Enter the number that the enterprise is rung back at: somebody has found it out, and says how."""

    async def ring_unit_now(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        """Begin the callback of an order now, as the timetable would; returns when the attempt has begun.

        Not outside the hours, right after another one, or too often a day; a supervisor overrules that by a reason.
        """

    async def remind_leader(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        """Ring the leader of the unit (else the head of section) about an order; returns when that has begun.

        `overrule` as with `ring_unit_now`.
        """

    async def reassign(self, order_id: str, unit_id: str, why: str, who: Actor) -> Order:
        """改派: give an order to another unit, which is told; the deadline stays (design rule 19)."""

    async def close(self, order_id: str, why: str, who: Actor) -> Order:
        """End an order: nothing is owed any more."""

    async def reopen(self, order_id: str, why: str, who: Actor) -> Order:
        """Open an order that was settled once more."""

    async def rejudge(self, order_id: str, why: str, who: Actor) -> Order:
        """Judge a frozen breach again by the calendar as it is now; the record keeps both judgements."""


class Online(Protocol):
    """Opens orders for chats, and measures the time up to the first response."""

    async def open_for_online(
        self, matter_id: str, number: str, text: str, wants: Wish, who: Actor, *, company: str = "", contact: str = ""
    ) -> dict[str, Any]:
        """Open an order, and in hours begin its callback at once if the chat wants a call now.

        Returns order_id, was_merged, due_at, asked_at (ISO 8601), is_calling, and why_not_calling: the key of why it
        does not ring now ("line.closed" out of hours, "" if it rings or was not asked to).
        """

    async def first_response_s(self, order_id: str) -> float | None:
        """Return the seconds from the chat's wish to the first response; None if there is none yet."""


class Calls(Protocol):
    """Asks of a running call what its seat may ask, as by the keys of the seat's phone.

    `seat_number` is the phone of the seat that asks: a call of another seat is refused; "" is for those who may act
    in every call.
    """

    def search(self, words: str, limit: int = 20) -> list[Found]:
        """Return matters, units and people by what a seat types, the best first; see `routing.search`."""

    async def transfer(
        self, call_id: str, target: str, who: Actor, *, kind: TargetKind | str = "", seat_number: str = ""
    ) -> None:
        """Ring the specialists of a matter, of a unit, or one person by number, and join whoever accepts.

        Without `kind`, `target` is looked for among matters, then numbers of people, then units.
        """

    async def hold(self, call_id: str, who: Actor, *, seat_number: str = "", is_held: bool | None = None) -> None:
        """Let the caller hear music while seat and specialist talk, or take them back.

        `is_held` says which of the two is wanted, so that asking twice changes nothing; None: the other one than now.
        """

    async def drop(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        """Take the specialist out, or call off the search for one."""

    async def leave(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        """Let the seat leave the two talking."""


class CallView(Protocol):
    """Shows calls that run."""

    async def seat_call(self, number: str) -> dict[str, Any] | None:
        """Return the call a seat is in, ringing or talking; None if it is in none.

        call_id, direction, caller, called, matter_id, matter, unit_id, step, offered_at (ISO 8601), seconds, talked_s,
        is_held, parties (role, number, name, state, seconds), may (by act: "" or the key of why not), supervision;
        open_orders (`Order`) and last_calls (records), both None while Redis is away.
        """

    def live_call(self, call_id: str) -> dict[str, Any] | None:
        """Return the same of any call that runs, without open_orders and last_calls; None if it is over."""


class Seats(Protocol):
    """States of seats, and what seats write about calls."""

    def statuses(self) -> list[dict[str, Any]]:
        """Return all seats: number, name, state, reason, why, next_state, since, call_id.

        State is ringing or talking in a call, else ready, away or wrap_up; `reason` the key of why it is offered no
        call; `since` an instant in ISO 8601; `why` what was typed; `next_state` what a seat in a call will be after it.
        """

    async def set_seat_state(self, number: str, state: SeatState | str, why: str, who: Actor) -> None:
        """Offer a seat calls, or none. In a call, the state counts from its end on."""

    async def wrap_up(self, seat_number: str, text: str, who: Actor) -> None:
        """Store what a seat writes about the call it is in, or was in last; a seat in wrap-up is ready thereby."""

    async def name_enterprise(self, seat_number: str, company: str, contact: str, who: Actor) -> None:
        """Keep who is calling with the call a seat is in, or was in last, and with the orders it has led to."""

    async def wrap_ups_of(self, call_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the same of several calls, by call; those about which nothing was written are left out."""

    async def wrap_ups(self, call_id: str) -> list[dict[str, Any]]:
        """Return what was written about a call, oldest first: at, seat_number, text, who."""


class Supervision(Protocol):
    """Begins, changes and ends the supervision of a running call."""

    async def begin(self, call_id: str, supervisor_number: str, mode: Mode | str, who: Actor, *, name: str = "") -> str:
        """Ring a supervisor's phone and let them hear a call; return the id of the supervision while it rings."""

    async def change(self, supervision_id: str, mode: Mode | str, who: Actor) -> None:
        """Let others hear the supervisor, or hear them no more."""

    async def stop(self, supervision_id: str, who: Actor) -> None:
        """Take the supervisor out of the call; the others notice nothing."""

    def end_all_of(self, name: str) -> None:
        """Take a supervisor, by the name of their account, out of every call: they may listen no longer."""


class FollowUps(Protocol):
    """Ratings that somebody must see to, whatever call they ended."""

    async def waiting(self) -> list[dict[str, Any]]:
        """Return what nobody has seen to yet, newest first.

        survey_id, at (aware), level (0: none given), is_solved, call_id, order_id ("" if it followed no callback),
        unit_id, matter_id, and call, the record of the call (None if it is not kept).
        """

    async def settle(self, survey_id: str, why: str, who: Actor) -> None:
        """Note what was done about a rating: it waits no longer."""


class NumberChecks(Protocol):
    """号码检查: rings the numbers of a unit, before somebody waits for them."""

    async def run(self, unit_id: str, who: Actor) -> list[dict[str, Any]]:
        """Return number, name, tier, result, sip_status and seconds of each number, when all have been rung."""

    def last(self, unit_id: str) -> dict[str, Any] | None:
        """Return the last check since the node started: at, who, numbers (how many), results so far, is_running."""


class Operations(Protocol):
    """The whole: what is there is read here, acts are in the parts."""

    @property
    def orders(self) -> Orders: ...

    @property
    def online(self) -> Online: ...

    @property
    def calls(self) -> Calls: ...

    @property
    def call_view(self) -> CallView: ...

    @property
    def seats(self) -> Seats: ...

    @property
    def supervision(self) -> Supervision: ...

    @property
    def follow_ups(self) -> FollowUps: ...

    @property
    def number_check(self) -> NumberChecks: ...

    @property
    def site(self) -> Site: ...

    @property
    def settings(self) -> Settings:
        """The settings the node was started with."""

    @property
    def directory(self) -> Directory:
        """Units, people, seats and matters as they count now."""

    @property
    def calendar(self) -> Calendar:
        """The calendar as it counts now."""

    @property
    def hours(self) -> Hours:
        """Hours, closures and the switch as they count now."""

    def now(self) -> datetime:
        """Return the time of the node's clock, which a rehearsal may move."""

    def status(self) -> dict[str, Any]:
        """Return how the node is at this moment.

        at (ISO 8601), opening (is_open, reason, until), calls, records_unwritten, seats, lines, door, trunks, ledger,
        timetable, notices.
        """

    async def recent_calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records, newest first; with `after`, the id of a call, those older than it."""

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """Return the record of a call; None if there is none any more."""

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        """Return the records of the calls an order was made by, and of its attempts, oldest first."""

    def recording(self, path: str) -> Path:
        """Return a recording named in a record.

        OperationRefused if it is none of ours (recording.foreign), or is not there any more (recording.gone).
        """

    async def report(self, question: Question) -> Report:
        """Return a report; of the same question some seconds apart only one is counted."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Let `listener(kind, fields)` hear what happens from now on; return what ends that.

        Kinds: call (what: offered, step, changed, ended), seat, lines, order (event_id, what, order_id, unit_id),
        notice, site.
        """
