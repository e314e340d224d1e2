"""Whom a seat wants in the conversation: found in the directory by what it keyed, or chose on its page."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.calls.digits import SeatRequest, TargetKind
from ivr.calls.office import Office
from ivr.calls.presence import Presence
from ivr.calls.refusals import Objection, Refusal
from routing.errors import UnknownMatter, UnknownUnit
from routing.matters import Matter
from routing.tiers import Tier


@dataclass(frozen=True)
class TransferTarget:
    """Who is to be rung, about which matter, and the unit that answers for it from now on."""

    matter: Matter
    unit_id: str
    tiers: tuple[Tier, ...]


def find_target(
    office: Office, presence: Presence, request: SeatRequest, now_about: Matter
) -> TransferTarget | Objection:
    """Return whom a request to bring in means, or why that is not possible; `now_about` is what the caller chose."""
    if request.target is None:
        matter = office.directory.matter_by_code(request.matter_code) if request.matter_code else now_about
        return _of_matter(office, matter)
    kind, name = request.target.kind, request.target.name
    try:
        if kind is TargetKind.MATTER:
            return _of_matter(office, office.directory.matter(name))
        if kind is TargetKind.UNIT:
            return TransferTarget(now_about, name, office.unit_tiers(name))
    except (UnknownMatter, UnknownUnit):
        return Objection(Refusal.UNKNOWN_TARGET)
    return _of_person(office, presence, name, now_about)


def _of_matter(office: Office, matter: Matter | None) -> TransferTarget | Objection:
    if matter is None:
        return Objection(Refusal.UNKNOWN_TARGET)
    if matter.belongs_elsewhere:
        return Objection(Refusal.BELONGS_ELSEWHERE, matter.elsewhere_name)
    return TransferTarget(matter, matter.unit_id, office.tiers(matter))


def _of_person(office: Office, presence: Presence, number: str, now_about: Matter) -> TransferTarget | Objection:
    unit_and_person = office.directory.person_at(number)
    if unit_and_person is None:
        return Objection(Refusal.UNKNOWN_TARGET)
    unit, person = unit_and_person
    if office.directory.is_absent(person, office.clock.now()):
        return Objection(Refusal.PERSON_ABSENT, person.name)
    if not presence.is_free(person.number):
        return Objection(Refusal.PERSON_BUSY, person.name)
    return TransferTarget(now_about, unit.unit_id, (Tier((person,), 0.0),))
