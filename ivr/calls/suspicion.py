"""Which orders a person must look at before they are dialled: too many of one caller, or for people who did not ask."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import Order
from ivr.calls.office import Office
from ivr.calls.tallies import Tallies, Tally
from routing.phone_numbers import is_same_number, masked

log = structlog.get_logger()

_HOUR = timedelta(hours=1)


class Suspicion:
    """Judges an order by its caller's number and the number to ring: by what is stored, and by what this node counted.

    The order is kept in any case, and its caller hears its number: a good caller loses nothing by a suspicion.
    """

    def __init__(self, ledger: Ledger, office: Office, tallies: Tallies) -> None:
        self._ledger, self._office, self._tallies = ledger, office, tallies

    async def of_order(self, caller: str, number: str, at: datetime, *, is_shown: bool = True) -> str:
        """Return why a person must look at an order that `caller` leaves `at` for `number`; "" if nobody must.

        `is_shown` False: no call shows that number, somebody typed it.
        """
        hold = self._by_tallies(caller, number, at)
        # before anything is waited for: many that come at once count each other
        self._tallies.note(Tally.ORDER, caller, at)
        if not is_same_number(caller, number):
            self._tallies.note(Tally.OTHER_NUMBER, caller, at)
        hold = hold or await self._by_what_is_stored(caller, number, at, is_shown)
        if hold:
            log.warning("order_held", reason=hold, caller=masked(caller), number=masked(number))
        return hold

    def _by_tallies(self, caller: str, number: str, at: datetime) -> str:
        bounds = self._office.settings.bounds.caller
        if self._tallies.is_full(Tally.ORDER, caller, bounds.orders_per_hour, at):
            return Hold.CALLER.value
        is_full = self._tallies.is_full(Tally.OTHER_NUMBER, caller, bounds.other_numbers_per_hour, at)
        return Hold.OTHER_NUMBERS.value if is_full and not is_same_number(caller, number) else ""

    async def _by_what_is_stored(self, caller: str, number: str, at: datetime, is_shown: bool) -> str:
        """Judge by what other nodes took, and what was taken before a restart."""
        if is_shown and is_same_number(caller, number):
            return ""
        bounds = self._office.settings.bounds.caller
        of_caller = [one for one in await self._owed(caller, at) if is_same_number(one.caller_number, caller)]
        if sum(one.is_for_another_number for one in of_caller) >= bounds.other_numbers_per_hour:
            return Hold.OTHER_NUMBERS.value
        is_full = _to_ring(await self._owed(number, at), number) >= bounds.orders_per_target_per_hour
        return Hold.TARGET.value if is_full else ""

    async def _owed(self, number: str, at: datetime) -> list[Order]:
        """Return what was opened for or from a number within the hour and is open; nothing while Redis is away."""
        if not number:
            return []
        try:
            owed = await self._ledger.orders.open_orders_of(number)
        except StoreUnavailable as away:
            log.warning("orders_not_read", error=str(away))
            return []
        return [order for order in owed if at - order.opened_at < _HOUR]


def _to_ring(orders: Iterable[Order], number: str) -> int:
    return sum(1 + len(order.merged_calls) for order in orders if order.callback_number == number)
