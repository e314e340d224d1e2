"""The gate of outgoing calls as people meet it: refusals in words, and a supervisor who overrules with a reason."""

from __future__ import annotations

from datetime import datetime

import structlog

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.order import Order
from callback_scheduler.timetable.may_dial import NEVER_OVERRULED, DialFor, DialPast, DialReason, DialRefusal
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.order_refusals import OrderRefusal
from routing.clock import SHANGHAI, Clock

log = structlog.get_logger()

_REFUSALS = {
    DialReason.NUMBER: OrderRefusal.DIAL_NUMBER,
    DialReason.HELD: OrderRefusal.DIAL_HELD,
    DialReason.HOURS: OrderRefusal.DIAL_HOURS,
    DialReason.PAUSE: OrderRefusal.DIAL_PAUSE,
    DialReason.ORDER_CAP: OrderRefusal.DIAL_ORDER_CAP,
    DialReason.NUMBER_CAP: OrderRefusal.DIAL_NUMBER_CAP,
}
_LONGEST_REASON = 400


class DialGate:
    """Asks `may_dial_now` before somebody is rung because a person or a program wants it."""

    def __init__(self, office: Office, ledger: Ledger, clock: Clock) -> None:
        self._office, self._ledger, self._clock = office, ledger, clock
        self._leaders_rung: dict[str, list[datetime]] = {}

    async def pass_callback(self, order: Order, who: Actor, overrule: str = "") -> str:
        """Let a callback that `who` asks for pass, or raise OperationRefused.

        Returns what the journal keeps of a rule that was overruled, "" if none was in the way.
        """
        owed = await self._ledger.orders.open_orders_of(order.callback_number) if order.callback_number else []
        refusal = self._callback(order, owed, who)
        return self._settle(refusal, who, overrule, order.order_id)

    def still_passes(self, order: Order, who: Actor) -> bool:
        """Whether nothing has come in the way of a callback since it passed."""
        return self._callback(order, [], who) is None

    def pass_phone(self, unit_id: str, number: str, who: Actor) -> None:
        """Let the phone of the person who asks be rung, at whatever hour; OperationRefused if it is none for that."""
        self._settle(self._office.may_dial_now(unit_id, number, DialFor.OWN_PHONE), who, "", unit_id)

    def pass_leader(self, order: Order, number: str, who: Actor, overrule: str = "") -> str:
        """Let a leader be rung about an order because `who` asks for it; as `pass_callback`."""
        past = DialPast(rung_at=tuple(self._rung_today(number)))
        refusal = self._office.may_dial_now(order.unit_id, number, DialFor.LEADER_CLICK, past)
        return self._settle(refusal, who, overrule, order.order_id)

    def note_leader(self, number: str) -> None:
        """Remember that a leader's phone rings now."""
        self._leaders_rung[number] = [*self._rung_today(number), self._clock.now()]

    def _rung_today(self, number: str) -> list[datetime]:
        today = self._clock.now().astimezone(SHANGHAI).date()
        return [at for at in self._leaders_rung.get(number, ()) if at.astimezone(SHANGHAI).date() == today]

    def _callback(self, order: Order, owed: list[Order], who: Actor) -> DialRefusal | None:
        why = DialFor.PROGRAM if who.role is ActorRole.PROGRAM else DialFor.CLICK
        past = DialPast(order=order, of_number=owed)
        return self._office.may_dial_now(order.unit_id, order.callback_number, why, past)

    def _settle(self, refusal: DialRefusal | None, who: Actor, overrule: str, about: str) -> str:
        overrule = overrule.strip()
        if overrule and who.role is not ActorRole.SUPERVISOR:
            raise OrderRefusal.OVERRULE_NOT_YOURS.error()
        if len(overrule) > _LONGEST_REASON:
            raise OrderRefusal.TEXT_TOO_LONG.error(most=str(_LONGEST_REASON))
        if refusal is None:
            return ""
        if not overrule or refusal.reason in NEVER_OVERRULED:
            raise self._refused(refusal)
        log.warning("dial_rule_overruled", about=about, who=str(who), reason=refusal.reason.value)
        return f"督办越限拨打（{refusal.reason.value}）：{overrule}"

    def _refused(self, refusal: DialRefusal) -> OperationRefused:
        bounds = self._office.settings.bounds.dial
        return _REFUSALS[refusal.reason].error(
            starts=f"{bounds.by_hand_from:%H:%M}", ends=f"{bounds.by_hand_until:%H:%M}",
            wait=str(max(1, round(refusal.wait_s))),
        )  # fmt: skip
