"""What a report asks of calls and of answers to the survey, short enough that it reads 100,000 of them in a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from callback_scheduler.orders.verdict import instant_ms


class CallFacts(NamedTuple):
    """What a report asks of a call's record; instants in milliseconds since the epoch, 0 for never."""

    offered_ms: int
    is_callers: bool  # somebody rang the hotline; else it rang a unit or a leader
    unit_id: str
    outcome: str
    lasted_ms: int
    asked_ms: int  # for a person
    answered_ms: int  # by that person
    transfer: str  # none, accepted, nobody, abandoned
    talked_s: float  # of the specialist who accepted, with the caller
    was_surveyed: bool


class SurveyFacts(NamedTuple):
    """An answer to the survey; `level` is 1 to 5, 0 if none was given."""

    at_ms: int
    unit_id: str
    level: int
    is_solved: bool | None


def cut_recordings(records: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the paths of the recordings of these calls that lack sound: the disk was full, or the line died."""
    return frozenset(path for record in records for path in record.get("recordings_cut") or ())


def call_facts(record: Mapping[str, Any]) -> CallFacts:
    """Return the facts of a call's record; AttributeError or TypeError if it is not one."""
    offered_ms, ended_ms = instant_ms(record.get("offered_at")), instant_ms(record.get("ended_at"))
    legs = [leg for leg in record.get("legs") or () if isinstance(leg, Mapping)]
    talks = [leg.get("two_way_s") or 0 for leg in legs if leg.get("role") == "specialist" and leg.get("accepted_at")]
    return CallFacts(
        offered_ms=offered_ms,
        is_callers=(record.get("direction") or "in") == "in",
        unit_id=record.get("unit_id") or "",
        outcome=record.get("outcome") or "",
        lasted_ms=ended_ms - offered_ms if ended_ms else 0,
        asked_ms=instant_ms(record.get("asked_for_person_at")),
        answered_ms=instant_ms(record.get("person_answered_at")),
        transfer=(record.get("transfer") or "none") if record.get("was_open") else "none",
        talked_s=max(talks, default=0),
        was_surveyed="survey" in (record.get("steps") or ()),
    )
