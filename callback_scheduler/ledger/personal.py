"""What of an event is about a person, and with what it is forgotten: its order, its call, or its day.

All that an event tells is sealed, since a number, a name, a text may stand in any field of it. Only what the hotline
itself made up stays to be read: the numbers of order and call, and the words of the table of states. So nothing must be
added here when an event tells more.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

from callback_scheduler.journal.event import JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.journal.sealing import Seal
from callback_scheduler.orders.order import Order
from routing.clock import SHANGHAI

# What retention itself writes, and what Redis said: numbers of events and orders, and nothing else.
_ABOUT_NOBODY = frozenset({"order_forgotten", "records_forgotten", "event_refused"})
_ORDER, _CALL = re.compile(r"(\d{6})[1-9]\d{4,}"), re.compile(r"(\d{8})T\d{6}-\w+")
_OF_THE_TABLE = ("note", "event", "state_from", "state_to")
_WORD = re.compile(r"[a-z][a-z_]{1,40}")
_COPY = re.compile(r"-\d+$")  # what the store adds to a number that is taken


def seal_of(event: JournalEvent) -> Seal | None:
    """Return under which key an event is sealed, and what is left to be read; None if it is about nobody."""
    if event.event_type in _ABOUT_NOBODY:
        return None
    order_id, call_id = str(event.payload.get("order_id") or ""), str(event.payload.get("call_id") or "")
    # an id that the hotline did not make may be made of a number
    is_ours = _CALL.fullmatch(call_id) is not None
    plain = [name for name in _OF_THE_TABLE if (word := event.payload.get(name)) and _WORD.fullmatch(str(word))]
    plain += ["order_id"] * bool(order_id) + ["call_id"] * is_ours
    if order_id:
        return Seal(key_of(order_id, event.at), tuple(plain))
    return Seal(key_of(call_id, event.at) if is_ours else KeyName(day_of(event.at)), tuple(plain))


def key_of(subject: str, at: datetime) -> KeyName:
    """Return the name of the key of an order or call: of the day in its number, else of that of the event, `at`."""
    name = name_of(subject)
    return name if name.day else KeyName(day_of(at), name.subject)


@lru_cache(maxsize=4096)
def name_of(subject: str) -> KeyName:
    """Return the name of the key of an order or call as far as its number tells; "" as day stands for all days."""
    subject = _COPY.sub("", subject) if _ORDER.match(subject) else subject
    return KeyName(_day_in(subject), subject)


def keys_of(order: Order) -> set[KeyName]:
    """Return the names of the keys that an order cannot be read without: its own, and those of calls it took up."""
    return {name_of(number) for number in (order.order_id, *(call.order_id for call in order.merged_calls))}


def day_of(at: datetime) -> str:
    """Return the day of an instant in Shanghai, as the name of a key has it."""
    return f"{at.astimezone(SHANGHAI):%Y%m%d}"


def midnight_before(at: datetime) -> datetime:
    """Return the beginning of the day of an instant in Shanghai: what is forgotten is forgotten by whole days."""
    return datetime.combine(at.astimezone(SHANGHAI).date(), datetime.min.time(), SHANGHAI)


def _day_in(subject: str) -> str:
    """Return the day in the number of an order or call, "" if there is none."""
    order, call = _ORDER.fullmatch(subject), _CALL.fullmatch(subject)
    day = f"20{order[1]}" if order else call[1] if call else ""
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return ""
    return day
