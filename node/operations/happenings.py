"""What happens on the node, told at once to whoever listens: calls, seats, lines, orders, notices."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.store.store import EventOutcome
from ivr.calls.call import Call
from ivr.dispatch.status import status_of

log = structlog.get_logger()


class Topic(Enum):
    """What a happening is about; the value is the word that pages and programs read."""

    CALL = "call"  # a call is offered, takes a step, has changed, has ended
    SEAT = "seat"  # a seat rings, talks, is ready or away
    LINES = "lines"  # a line was taken, came or went, or a trunk took us or lost us
    ORDER = "order"  # something happened to an order
    NOTICE = "notice"  # a notice was given to the receivers
    SITE = "site"  # an administrator has changed something


Listener = Callable[[Topic, dict[str, Any]], None]  # of what something happened, and its fields


class HappeningsFeed:
    """Passes each happening (topic, fields) to every listener, in the reactor's thread and in the order of subscribing.

    Listeners return at once, and must not change `fields`. One that raises is logged: a call never notices.
    """

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._last = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` from now on; return what ends that, and may be called twice."""
        self._last += 1
        number = self._last
        self._listeners[number] = listener
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        self._listeners.pop(number, None)

    def tell(self, topic: Topic, fields: dict[str, Any]) -> None:
        """Tell everybody; never raises."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(topic, fields)
            except Exception:
                log.exception("listener_failed", kind=topic.value)

    # -- what the rooms tell ------------------------------------------------------------------------------------------

    def on_call(self, what: str, call: Call) -> None:
        """Tell that a call is offered, takes a step, has changed (who rings, who talks), or has ended."""
        if not self._listeners:
            return
        try:
            fields = status_of(call) | {"what": what}
        except Exception:  # what is to be seen of a call must not be the end of it
            call.log.exception("call_not_told", what=what)
        else:
            self.tell(Topic.CALL, fields)

    def on_event(self, event: JournalEvent, outcome: EventOutcome) -> None:
        """Tell of an event of an order, or of a notice, that counts."""
        payload = event.payload
        fields = {"event": event.event_type, "event_id": event.event_id, "at": event.at.isoformat()}
        fields["order_id"] = outcome.order_id or str(payload.get("order_id", ""))
        if event.event_type == "notice_given":
            self.tell(Topic.NOTICE, fields | {"notice": payload.get("kind", "")})
            return
        what = payload.get("event") or payload.get("note") or "opened"
        state = payload.get("state_to", "")
        self.tell(Topic.ORDER, fields | {"what": what, "unit_id": outcome.unit_id, "state": state})
