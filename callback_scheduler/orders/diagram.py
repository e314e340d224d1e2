"""Draws docs/order-life.md from the table of states: `python -m callback_scheduler.orders.diagram` prints it."""

from __future__ import annotations

from callback_scheduler.orders import states as order_states
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent, OrderState
from callback_scheduler.orders.words import EVENTS, STATES


def mermaid() -> str:
    """Return the diagram of states and events as Mermaid text, in the order of the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {OrderState.OPENED.value}"]
    lines += [f"    {state.value}: {state.value} {STATES[state.value]}" for state in OrderState]
    lines += [
        f"    {before.value} --> {after.value}: {event.value} {EVENTS[event.value]}"
        for (before, event), after in TRANSITIONS.items()
    ]
    lines += [f"    {state.value} --> [*]" for state in OrderState if not state.is_open]
    return "\n".join(lines)


def table() -> str:
    """Return the table of transitions in Markdown: a row for each state, a column for each event."""
    events = list(OrderEvent)
    head = ["state", "open", *(event.value for event in events)]
    rows = [
        [state.value, "yes" if state.is_open else "no"]
        + [found.value if (found := TRANSITIONS.get((state, event))) else "" for event in events]
        for state in OrderState
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def document() -> str:
    """Return docs/order-life.md."""
    essay = (order_states.__doc__ or "").partition("\n\n")[2].strip()
    parts = (
        "# The life of an order",
        "Printed by `python -m callback_scheduler.orders.diagram` from the table in "
        "[`order_states.py`](../callback_scheduler/order_states.py); a test holds both together.",
        f"```mermaid\n{mermaid()}\n```",
        essay,
        "## Table",
        "An empty field cannot happen: `IllegalTransition`. An order that is *open* is still owed: a repeated call is "
        "taken up by it, and it is found by its deadline.",
        table(),
        _BESIDE.strip(),
    )
    return "\n\n".join(parts) + "\n"


_BESIDE = """
## What is kept beside the state

- Every change is an event of the journal, `order_changed` (the state moves) or `order_noted` (it does not): who, when,
  from, to, why, what else changed, and the attempt with its evidence; `OrderKeeping.order_events` gives them for one.
- An event counts once, by its id. A change made on a stale picture of the order is refused (`StaleOrder`), one made
  under a lease that is over too (`FencedOff`); both are decided by the same script that applies events. The refusal is
  written down as `event_refused`, so that it holds when Redis is built anew from the journal.
- *Reached* needs evidence: key 1, the enterprise's answer, ten seconds of talk both ways (`NotProved` otherwise). A
  talk after reopening does not move the time of the first one.
- `hold_reason` says why a person must look at an order before it is dialled (`orders/holds.py`): the timetable and
  programs leave it, whoever rings by hand lets it go on. It stands in `order_opened`, and empties when a person has it
  rung, or its own number rings in. `not_theirs` is rung only by a supervisor with a reason.
- A reassigned order forgets acknowledgement and ten-minute promise, keeps its deadline, and counts the unit among
  `units_before`.
- Each record of the journal carries SHA-256 of the one before and itself. `hotline verify` names the first record that
  was changed, doubled or taken out; the end is compared with the journal's own note of it and with Redis.
- Events of one order are counted (`version`). If Redis is lost and the journals of several nodes are read again, an
  event waits for those it was made after, in whichever journal they are.
- *Closed* (`housekeeping.py`): at once when the enterprise says by key that its matter is solved, else some days after
  the talk (`keeping.close_after_days`). After a bad rating unit and supervisors are told, and a supervisor closes or
  reopens. A reopened order keeps its deadline and the verdict of its first talk, and is dialled again.
- What a record says of people is sealed under a key of its order or call
  ([`personal.py`](../callback_scheduler/ledger/personal.py)); only the numbers of both stay to be read. A day's secret
  and the subject's name make the key ([`keys.py`](../callback_scheduler/journal/keys.py)), so a key costs no write of
  its own, and one order outlives its day by a key written down for it.
- `Ledger.forget` lets settled orders of before a day go, with call records and the keys of both: nobody can read their
  records any more, though they stand where they stood. Files of the journal go that tell of nothing else. The chain
  goes on from what was archived; numbers are not given again.
"""


if __name__ == "__main__":
    print(document(), end="")
