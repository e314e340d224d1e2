"""How much one caller, one number and one click may ask of the line, and at what hours people may let it ring."""

from __future__ import annotations

from datetime import time

from pydantic import Field, model_validator

from config.fields import Seconds, Strict, TimeOfDay


class DialBounds(Strict):
    """Bounds on outgoing calls that somebody asks for by hand: on a page, by the API, by dialling in.

    They are placed on workdays (and on the day of the order's deadline) from `by_hand_from` up to, not including,
    `by_hand_until`, Shanghai's time, and whenever the line is open. After an attempt that rang somebody the next one
    waits `by_hand_pause_s`. An order has `attempts_per_order_per_day` at most, and one number is rung
    `rings_per_number_per_day` times a day at most, whatever they are about and whoever asked.
    Which numbers are rung at all is not a matter of bounds: see `routing/dial_rules.py`.
    """

    by_hand_from: TimeOfDay = time(8)
    by_hand_until: TimeOfDay = time(18)
    by_hand_pause_s: Seconds = 60.0
    attempts_per_order_per_day: int = Field(default=40, ge=1, le=200)
    rings_per_number_per_day: int = Field(default=20, ge=1, le=200)

    @model_validator(mode="after")
    def _fits(self) -> DialBounds:
        if self.by_hand_until <= self.by_hand_from:
            raise ValueError("by_hand_until is not after by_hand_from")
        return self


class CallerBounds(Strict):
    """Bounds on one caller's number. An office exchange shows one number for many people: they are generous.

    Of one number `calls_at_once` calls are taken (further ones hear 486), and of those that show no number
    `calls_at_once_without_number` for each trunk, or `trunk.lines_percent` of all lines if that is more.

    Orders that a number left for other people's numbers are marked for a person to look at, and not dialled by
    themselves, beyond `other_numbers_per_hour` in an hour; so are those beyond `orders_per_hour` of all its orders, and
    those beyond `orders_per_target_per_hour` for one number to ring. A caller may change the number of their order
    `number_changes_per_hour` times an hour, and key `wrong_order_numbers_per_hour` numbers of orders that are not
    theirs.
    """

    calls_at_once: int = Field(default=8, ge=1, le=2000)
    calls_at_once_without_number: int = Field(default=24, ge=1, le=2000)
    orders_per_hour: int = Field(default=20, ge=1, le=1000)
    other_numbers_per_hour: int = Field(default=5, ge=1, le=1000)
    orders_per_target_per_hour: int = Field(default=5, ge=1, le=1000)
    number_changes_per_hour: int = Field(default=5, ge=1, le=1000)
    wrong_order_numbers_per_hour: int = Field(default=9, ge=1, le=1000)


class TrunkBounds(Strict):
    """Bounds on one trunk, so that its flood never starves another.

    It gets `calls_per_s` new calls, steadily, and `calls_burst` at once; what comes beyond hears 503 at once. While
    there are other trunks, its calls take `lines_percent` of all lines at most. An answer that is never confirmed
    (RFC 3261 13.3.1.4) gives its line back after `unconfirmed_s`, and after `unconfirmed_again_s` if the same caller
    has left another one unconfirmed.
    """

    calls_per_s: float = Field(default=20.0, gt=0, le=10_000)
    calls_burst: int = Field(default=60, ge=1, le=10_000)
    lines_percent: int = Field(default=75, ge=1, le=100)
    unconfirmed_s: Seconds = 32.0
    unconfirmed_again_s: Seconds = 8.0


class BoundSettings(Strict):
    """All bounds: on what is dialled, on callers, on trunks, on connections.

    A source may hold `connections_per_source` TCP connections; one more closes its idlest, never one in use.
    """

    dial: DialBounds = DialBounds()
    caller: CallerBounds = CallerBounds()
    trunk: TrunkBounds = TrunkBounds()
    connections_per_source: int = Field(default=64, ge=1, le=4096)
