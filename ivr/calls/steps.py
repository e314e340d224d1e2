"""The steps of a call: where in its flows it is, and by which way it came there."""

from __future__ import annotations

from enum import Enum


class CallStep(Enum):
    """One step of a flow; the value is what the record of the call keeps."""

    GREETING = "greeting"  # the first words, in working hours
    MENU = "menu"  # the matters
    SEAT = "seat"  # a seat is rung
    SPECIALIST = "specialist"  # specialists are rung
    ALONE = "alone"  # the caller was cut off from a person before they could talk
    MISSED = "missed"  # nobody could be had
    AFTER_HOURS = "after_hours"  # the first words, out of hours
    NUMBER = "number"  # the number to ring back is asked for
    MESSAGE = "message"  # the caller speaks a message
    ORDER = "order"  # an order is opened
    SURVEY = "survey"  # the caller is asked how it was
    ELSEWHERE = "elsewhere"  # the matter is not served here
    OWN_ORDER = "own order"  # the caller asks about an order
    RINGS_AGAIN = "rings again"  # the caller is owed a callback
    SPECIALIST_DIALS_IN = "specialist dials in"  # a specialist settles an order by ringing us
    UNIT = "unit"  # a callback: the unit is rung
    ENTERPRISE = "enterprise"  # a callback: a specialist has accepted, the enterprise is rung
    TALK = "talk"  # a callback: unit and enterprise talk
    LEADER = "leader"  # the leader of a unit is reminded
    NUMBER_CHECK = "number check"  # a number of the directory is tried
    # what a seat asks for while it talks; these lead to no other place in the flows
    SEAT_BRINGS_IN = "seat bring_in"
    SEAT_DROPS = "seat drop"
    SEAT_LEAVES = "seat leave"
    SEAT_CONSULTS = "seat consult"

    @property
    def is_of_seat(self) -> bool:
        """Whether a seat asked for it, in the middle of a talk."""
        return self in _OF_SEAT


_OF_SEAT = frozenset(
    (CallStep.SEAT_BRINGS_IN, CallStep.SEAT_DROPS, CallStep.SEAT_LEAVES, CallStep.SEAT_CONSULTS)
)  # fmt: skip
