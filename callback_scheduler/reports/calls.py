"""Calls counted: was the caller answered, was the specialist reached, was the caller content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.orders.verdict import milliseconds
from callback_scheduler.reports.figures import Rate
from callback_scheduler.reports.orders import By, period_of

THREE_WAY_GOAL_PERCENT = 90  # the district's notice
ANSWER_GOAL_PERCENT = 95  # GB/T 33358-2016: in any 24 h
_SHORT_MS = 5_000
_ANSWER_MS = 15_000  # GB/T 33358-2016
_SERVED = frozenset({"served", "order", "elsewhere"})
_CONTENT_FROM = 3  # 基本满意


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


@dataclass
class CallTally:
    """What the calls and surveys of one row came to."""

    offered: int = 0
    answered: int = 0  # by a person, or served to the end by the line
    hung_up_early: int = 0  # unanswered, and gone within 5 s
    asked: int = 0  # for a person
    reached_person: int = 0
    within_15_s: int = 0
    transfers: int = 0
    transfers_connected: int = 0
    transfers_abandoned: int = 0  # by the caller
    surveyed: int = 0
    rated: int = 0
    content: int = 0
    said_solved_or_not: int = 0
    solved: int = 0

    def add_call(self, call: CallFacts) -> None:
        """Count a call; of one that we began only whether it asked for a rating."""
        self.surveyed += call.was_surveyed
        if not call.is_callers:
            return
        is_answered = bool(call.answered_ms) or call.outcome in _SERVED
        self.offered += 1
        if is_answered:
            self.answered += 1
        elif 0 < call.lasted_ms < _SHORT_MS:
            self.hung_up_early += 1
        if call.asked_ms:
            self.asked += 1
            if call.answered_ms:
                self.reached_person += 1
                self.within_15_s += call.answered_ms - call.asked_ms <= _ANSWER_MS
        if call.transfer != "none":
            self.transfers += 1
            was_connected = call.talked_s >= LEAST_TALK_S
            self.transfers_connected += was_connected
            self.transfers_abandoned += call.transfer == "abandoned" and not was_connected

    def add_survey(self, survey: SurveyFacts) -> None:
        """Count an answer to the survey; whether it was asked is told by the call."""
        self.rated += survey.level > 0
        self.content += survey.level >= _CONTENT_FROM
        self.said_solved_or_not += survey.is_solved is not None
        self.solved += survey.is_solved is True

    def merged_with(self, other: CallTally) -> CallTally:
        """Return both counted together."""
        return CallTally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def rates(self) -> dict[str, Rate]:
        """Return every rate by its name: no two of them have the same denominator, and none is just 接通率."""
        return {
            "answer_rate": Rate(self.answered, self.offered - self.hung_up_early),
            "answer_rate_of_all": Rate(self.answered, self.offered),
            "within_15_s_of_answered": Rate(self.within_15_s, self.reached_person),
            "within_15_s_of_asked": Rate(self.within_15_s, self.asked),
            "three_way_rate": Rate(self.transfers_connected, self.transfers),
            "three_way_rate_without_abandoned": Rate(
                self.transfers_connected, self.transfers - self.transfers_abandoned
            ),
            "solved_rate": Rate(self.solved, self.said_solved_or_not),
            "content_rate": Rate(self.content, self.rated),
            "participation_rate": Rate(self.rated, self.surveyed),
        }

    def as_fields(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        counts = {f.name: getattr(self, f.name) for f in fields(self)}
        return counts | {name: rate.as_fields() for name, rate in self.rates().items()}


def call_facts(record: Mapping[str, Any]) -> CallFacts:
    """Return the facts of a call's record, as `keep_call_facts` in apply.lua keeps them for reports."""
    offered_ms, ended_ms = _ms_of(record.get("offered_at")), _ms_of(record.get("ended_at"))
    legs = record.get("legs") or ()
    talks = [leg.get("two_way_s") or 0 for leg in legs if leg.get("role") == "specialist" and leg.get("accepted_at")]
    return CallFacts(
        offered_ms=offered_ms,
        is_callers=(record.get("direction") or "in") == "in",
        unit_id=record.get("unit_id") or "",
        outcome=record.get("outcome") or "",
        lasted_ms=ended_ms - offered_ms if ended_ms else 0,
        asked_ms=_ms_of(record.get("asked_for_person_at")),
        answered_ms=_ms_of(record.get("person_answered_at")),
        transfer=(record.get("transfer") or "none") if record.get("was_open") else "none",
        talked_s=max(talks, default=0),
        was_surveyed="survey" in (record.get("steps") or ()),
    )


def _ms_of(text: str | None) -> int:
    return milliseconds(datetime.fromisoformat(text)) if text else 0


RATE_WORDS = {
    "answer_rate": "来电接通率（不计5秒内挂断）",
    "answer_rate_of_all": "来电接通率（全部来电）",
    "within_15_s_of_answered": "15秒应答率（已应答）",
    "within_15_s_of_asked": "15秒应答率（含放弃）",
    "three_way_rate": "三方直转接通率（全部直转）",
    "three_way_rate_without_abandoned": "三方直转接通率（不计来电人放弃）",
    "solved_rate": "解决率",
    "content_rate": "满意率",
    "participation_rate": "参评率",
}


def tally_calls(calls: Iterable[CallFacts], surveys: Iterable[SurveyFacts], by: By) -> dict[str, CallTally]:
    """Return the rows of calls: by unit of the matter ("" if none was chosen), or by day or month of the call."""
    rows: dict[str, CallTally] = {}
    key = _key_of(by)
    for call in calls:
        rows.setdefault(key(call.unit_id, call.offered_ms), CallTally()).add_call(call)
    for survey in surveys:
        rows.setdefault(key(survey.unit_id, survey.at_ms), CallTally()).add_survey(survey)
    return rows


def _key_of(by: By) -> Callable[[str, int], str]:
    if by is By.UNIT:
        return lambda unit_id, at_ms: unit_id
    return lambda unit_id, at_ms: period_of(by, at_ms)


def total_calls(rows: Mapping[str, CallTally]) -> CallTally:
    """Return all rows counted together."""
    whole = CallTally()
    for row in rows.values():
        whole = whole.merged_with(row)
    return whole
