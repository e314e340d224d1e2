"""Where admitted calls arrive: each gets a record and a Call, and is run to its end."""

from __future__ import annotations

from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from config.number_form import NumberForm
from ivr.calls.call import Call
from ivr.calls.cdr import CallRecord, new_call_id
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.services import CallServices
from ivr.calls.slot import Slot
from ivr.dispatch.runner import run_call
from ivr.dispatch.status import statuses
from ivr.door.door import IncomingCall
from routing.phone_numbers import masked

log = structlog.get_logger()


class IncomingCalls:
    """The calls of this node that somebody began by ringing the hotline."""

    def __init__(self, services: CallServices, office: Office, orders: Orders) -> None:
        self._services = services
        self._office = office
        self._orders = orders
        self._running: dict[str, tuple[Call, Deferred[None]]] = {}

    def on_call(self, slot: Slot, incoming: IncomingCall) -> None:
        """Take an INVITE the door has admitted to a line; returns at once."""
        at = self._services.clock.now()
        caller, offered_number = self._numbers_of(incoming)
        record = CallRecord(new_call_id(at), incoming.sip_call_id, caller, incoming.called, offered_at=at)
        call = Call(slot, self._services, record)
        call.is_caller_trusted, call.is_caller_hidden = incoming.is_caller_trusted, incoming.is_caller_hidden
        call.request.offered_number = offered_number
        call.log.info("call_offered", trunk=incoming.trunk, caller=masked(caller))
        running = ensureDeferred(run_call(call, self._office.as_it_is(), self._orders))
        self._running[call.call_id] = call, running
        running.addBoth(lambda _: self._running.pop(call.call_id))

    def _numbers_of(self, incoming: IncomingCall) -> tuple[str, str]:
        """Return who rings, and a number that may be rung back if there is one, both as they are stored."""
        trunks = {trunk.name: trunk.number_form for trunk in self._office.settings.sip.trunks}
        form = trunks.get(incoming.trunk, NumberForm())
        texts, rules = incoming.caller_numbers or (incoming.caller,), self._office.dial_rules
        return rules.caller(texts, form), rules.rung_back(texts, form)

    def calls(self) -> list[Call]:
        """Return the calls of this moment, oldest first."""
        return [call for call, _ in self._running.values()]

    async def stop(self) -> None:
        """Release every caller and wait until their records are written."""
        for call, _ in list(self._running.values()):
            call.release()
        await DeferredList([running for _, running in self._running.values()], consumeErrors=True)

    def status(self) -> list[dict[str, Any]]:
        """Return the calls of this moment for an operator: id, caller (masked), step, seconds."""
        return statuses(self.calls())
