"""The people of a rehearsal: callers who leave orders, units and enterprises who answer or not, all by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import AttemptOutcome, OrderDraft, OrderKind
from routing.site import Site

_MENU_WEIGHT = 4  # so much more often is a matter of the menu asked for than another
_OPEN_WEIGHT, _NIGHT_WEIGHT = 0.1, 0.15  # in hours most callers are served, at night few ring
_MORNING_H = 7
_RINGS_AGAIN = 0.05


def callers(site: Site, since: datetime, until: datetime, count: int, seed: int) -> list[OrderDraft]:
    """Return what `count` callers leave between `since` and `until`, oldest first; a few of them ring twice."""
    chance = Random(f"{seed}/callers")
    matters = [matter for matter in site.directory.matters if matter.belongs_elsewhere is None]
    weights = [_MENU_WEIGHT if matter.matter_id in site.settings.phone.menu_matters else 1 for matter in matters]
    drafts: list[OrderDraft] = []
    for n, at in enumerate(sorted(_moments(site, since, until, count, chance))):
        matter = chance.choices(matters, weights)[0]
        number = f"13{900_000_000 + n * 1009 % 100_000_000}"
        if drafts and chance.random() < _RINGS_AGAIN:
            before = chance.choice(drafts[-20:])
            number, matter = before.callback_number, site.directory.matter(before.matter_id)
        is_open = site.hours.opening(at, site.calendar).is_open
        drafts.append(
            OrderDraft(
                call_id=f"rehearsal-{n:06}",
                kind=OrderKind.MISSED if is_open else OrderKind.AFTER_HOURS,
                opened_at=at,
                caller_number=number,
                callback_number=number,
                matter_id=matter.matter_id,
                unit_id=matter.unit_id,
                deadline=deadline(site.calendar, at, missed_in_hours=is_open),
            )
        )
    return drafts


def _moments(site: Site, since: datetime, until: datetime, count: int, chance: Random) -> Iterator[datetime]:
    found = 0
    while found < count:
        at = since + timedelta(seconds=chance.randrange(max(1, int((until - since).total_seconds()))))
        weight = _NIGHT_WEIGHT if at.hour < _MORNING_H else 1.0
        if site.hours.opening(at, site.calendar).is_open:
            weight = _OPEN_WEIGHT
        if chance.random() < weight:
            found += 1
            yield at


@dataclass(frozen=True, slots=True)
class Answer:
    """How one callback goes: what comes of it, seconds until it ends, until the enterprise is rung (None: never)."""

    outcome: AttemptOutcome
    takes_s: float
    enterprise_rung_after_s: float | None = None
    enterprise_answers_after_s: float = 0.0


_O = AttemptOutcome
# outcome, probability with one tier of a unit rung; the rest accepts
_UNIT = ((_O.UNIT_NO_ANSWER, 0.16, 45.0), (_O.UNIT_BUSY, 0.06, 3.0), (_O.NOT_ACCEPTED, 0.04, 20.0),
         (_O.PASSED_ON, 0.02, 15.0), (_O.IN_TEN_MINUTES, 0.03, 15.0), (_O.UNIT_REFUSED, 0.02, 5.0))
# outcome, probability, seconds the enterprise's phone rings; the rest talks
_ENTERPRISE = ((_O.ENTERPRISE_NO_ANSWER, 0.12, 40.0), (_O.ENTERPRISE_BUSY, 0.06, 3.0),
               (_O.ENTERPRISE_REFUSED, 0.02, 6.0), (_O.TALK_TOO_SHORT, 0.03, 16.0))


def answer(seed: int, order_id: str, attempt: int, tiers_rung: int) -> Answer:
    """Return how the `attempt`th callback of an order goes; the same for the same arguments, whatever else happens.

    Each further tier that rings halves the chance that nobody at the unit is there. One enterprise in forty never
    answers.
    """
    chance = Random(f"{seed}/{order_id}/{attempt}")
    drawn, unanswered = chance.random(), 0.5 ** (min(tiers_rung, 4) - 1)
    for outcome, probability, takes_s in _UNIT:
        drawn -= probability * (unanswered if outcome is _O.UNIT_NO_ANSWER else 1.0)
        if drawn < 0:
            return Answer(outcome, takes_s)
    rung_after_s = chance.uniform(8.0, 25.0)  # until the unit has picked up, listened and pressed 1
    drawn = chance.random()
    if Random(f"{seed}/{order_id}").random() < 0.025:
        drawn = 0.0
    for outcome, probability, takes_s in _ENTERPRISE:
        drawn -= probability
        if drawn < 0:
            return Answer(outcome, rung_after_s + takes_s, rung_after_s, takes_s / 2)
    answers_after_s = chance.uniform(4.0, 15.0)
    return Answer(_O.REACHED, rung_after_s + answers_after_s + chance.uniform(30.0, 240.0), rung_after_s,
                  answers_after_s)
