"""Why an order waits for a person instead of the timetable: it is kept, and not dialled by itself."""

from __future__ import annotations

from enum import Enum


class Hold(str, Enum):
    """A reason; a string, as journal and store keep it, and the last word of the key of its sentence."""

    CALLER = "orders_of_caller"  # the caller has left more orders within an hour than one person would
    OTHER_NUMBERS = "other_numbers_of_caller"  # and these are to ring other people
    TARGET = "orders_for_target"  # this number is to be rung about more orders within an hour than one enterprise has
    UNHEARD = "unheard"  # the call was never established: whoever rang has heard nothing, if anybody did ring
    NOT_THEIRS = "not_theirs"  # whoever answered there said that the request was not theirs

    __str__ = str.__str__
