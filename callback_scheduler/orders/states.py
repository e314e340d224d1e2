"""The states of an order, what moves it from one to another.

An order is a debt: a unit owes an enterprise a call. The table below is its whole life, and what is not in the table
cannot happen: `next_state` raises IllegalTransition, because an event that has no place (a callback reached for an
order nobody has sent, a return of an order already closed) means that somebody's picture of the order is stale, and
a guess would hide it.

The way of most orders is a straight line: opened -> sent -> acknowledged -> calling back -> reached -> closed.
Around it:

- *Calling back* may be entered without acknowledgement, since the scheduler dials at 09:00 whether or not the unit
  has said that it saw the order; and again and again, as each attempt that fails leads back to *not reached*. So does
  one of which nobody knows how it ended, because the node died: its outcome is *unknown*.
- *Not reached* is an honest state, not an error: the unit tried. It stays open, and more attempts may follow.
- *Returned* (退单) waits for another unit; *reassigned* (改派) sends it on, out of any open state but *calling back*:
  while phones ring it is nobody else's. Neither touches the deadline: the enterprise was promised a time, not a unit.
- *Self-reported* is what a unit typed (已联系). It is shown apart and evidence may still turn it into *reached*. Typed
  while an attempt is under way it is kept beside that, and the attempt goes on.
- *Acknowledged* may come late and again (a colleague, a leader by key): it is noted, and takes nothing back.
- *Merged* (并单) is the end of an order number whose call another open order took up.

Overdue is not here: it is a verdict of the clock about an order in any open state, frozen at its deadline, while
the order itself goes on being owed.
"""

from __future__ import annotations

from enum import Enum

from callback_scheduler.errors import IllegalTransition


class OrderState(Enum):
    """Where an order stands."""

    OPENED = "opened"  # on disk, told to the caller, not yet at a unit
    SENT = "sent"  # the unit has been told
    ACKNOWLEDGED = "acknowledged"  # somebody at the unit said: seen
    CALLING_BACK = "calling_back"  # an attempt is under way
    NOT_REACHED = "not_reached"  # the last attempt did not join unit and enterprise
    REACHED = "reached"  # evidence: unit accepted, enterprise answered, two-way talk
    SELF_REPORTED = "self_reported"  # the unit says it rang, without evidence
    RETURNED = "returned"  # the unit says it is not theirs (退单)
    CLOSED = "closed"  # nothing is owed any more
    MERGED = "merged"  # another open order took the call up (并单)

    @property
    def is_open(self) -> bool:
        """Whether a callback is still owed, so that a repeated call is taken up by this order."""
        return self not in {OrderState.REACHED, OrderState.CLOSED, OrderState.MERGED}


class OrderEvent(Enum):
    """What can happen to an order."""

    SENT = "sent"  # handed to the responsible unit
    ACKNOWLEDGED = "acknowledged"  # the unit confirmed that it saw the order
    ATTEMPT_BEGUN = "attempt_begun"  # the unit's phone is about to be rung
    ATTEMPT_FAILED = "attempt_failed"  # busy, no answer, refused, or talk too short
    REACHED = "reached"  # evidence of two-way talk is there
    SELF_REPORTED = "self_reported"  # the unit typed that it has rung
    RETURNED = "returned"  # the unit gave the order back
    REASSIGNED = "reassigned"  # another unit has it now
    CLOSED = "closed"  # settled, by survey or by a supervisor
    REOPENED = "reopened"  # a bad survey or a supervisor's second look
    MERGED = "merged"  # taken up by another open order


_S, _E = OrderState, OrderEvent

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.OPENED, _E.SENT): _S.SENT,
    (_S.OPENED, _E.ACKNOWLEDGED): _S.ACKNOWLEDGED,
    (_S.OPENED, _E.ATTEMPT_BEGUN): _S.CALLING_BACK,
    (_S.OPENED, _E.SELF_REPORTED): _S.SELF_REPORTED,
    (_S.OPENED, _E.RETURNED): _S.RETURNED,
    (_S.OPENED, _E.REASSIGNED): _S.OPENED,
    (_S.OPENED, _E.MERGED): _S.MERGED,
    (_S.OPENED, _E.CLOSED): _S.CLOSED,
    (_S.SENT, _E.ACKNOWLEDGED): _S.ACKNOWLEDGED,
    (_S.SENT, _E.ATTEMPT_BEGUN): _S.CALLING_BACK,
    (_S.SENT, _E.SELF_REPORTED): _S.SELF_REPORTED,
    (_S.SENT, _E.RETURNED): _S.RETURNED,
    (_S.SENT, _E.REASSIGNED): _S.SENT,
    (_S.SENT, _E.MERGED): _S.MERGED,
    (_S.SENT, _E.CLOSED): _S.CLOSED,
    (_S.ACKNOWLEDGED, _E.ACKNOWLEDGED): _S.ACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _E.ATTEMPT_BEGUN): _S.CALLING_BACK,
    (_S.ACKNOWLEDGED, _E.SELF_REPORTED): _S.SELF_REPORTED,
    (_S.ACKNOWLEDGED, _E.RETURNED): _S.RETURNED,
    (_S.ACKNOWLEDGED, _E.REASSIGNED): _S.SENT,
    (_S.ACKNOWLEDGED, _E.MERGED): _S.MERGED,
    (_S.ACKNOWLEDGED, _E.CLOSED): _S.CLOSED,
    (_S.CALLING_BACK, _E.ACKNOWLEDGED): _S.CALLING_BACK,
    (_S.CALLING_BACK, _E.SELF_REPORTED): _S.CALLING_BACK,
    (_S.CALLING_BACK, _E.REACHED): _S.REACHED,
    (_S.CALLING_BACK, _E.ATTEMPT_FAILED): _S.NOT_REACHED,
    (_S.NOT_REACHED, _E.ACKNOWLEDGED): _S.NOT_REACHED,
    (_S.NOT_REACHED, _E.ATTEMPT_BEGUN): _S.CALLING_BACK,
    (_S.NOT_REACHED, _E.SELF_REPORTED): _S.SELF_REPORTED,
    (_S.NOT_REACHED, _E.RETURNED): _S.RETURNED,
    (_S.NOT_REACHED, _E.REASSIGNED): _S.SENT,
    (_S.NOT_REACHED, _E.MERGED): _S.MERGED,
    (_S.NOT_REACHED, _E.CLOSED): _S.CLOSED,
    (_S.SELF_REPORTED, _E.ACKNOWLEDGED): _S.SELF_REPORTED,
    (_S.SELF_REPORTED, _E.SELF_REPORTED): _S.SELF_REPORTED,
    (_S.SELF_REPORTED, _E.ATTEMPT_BEGUN): _S.CALLING_BACK,
    (_S.SELF_REPORTED, _E.RETURNED): _S.RETURNED,
    (_S.SELF_REPORTED, _E.REASSIGNED): _S.SENT,
    (_S.SELF_REPORTED, _E.CLOSED): _S.CLOSED,
    (_S.SELF_REPORTED, _E.REOPENED): _S.OPENED,
    (_S.RETURNED, _E.REASSIGNED): _S.SENT,
    (_S.RETURNED, _E.CLOSED): _S.CLOSED,
    (_S.REACHED, _E.CLOSED): _S.CLOSED,
    (_S.REACHED, _E.REOPENED): _S.OPENED,
    (_S.CLOSED, _E.REOPENED): _S.OPENED,
}


def next_state(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after `event`; IllegalTransition if the table has no such pair."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        possible = ", ".join(e.value for s, e in TRANSITIONS if s is state) or "nothing"
        raise IllegalTransition(
            f"an order that is {state.value} cannot be {event.value}; possible: {possible}"
        ) from None
