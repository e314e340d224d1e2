"""Calls counted: was the caller answered, was the specialist reached, was the caller content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from callback_scheduler.orders.call_facts import CallFacts, SurveyFacts
from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.reports.figures import Rate
from callback_scheduler.reports.orders import By, period_of

THREE_WAY_GOAL_PERCENT = 90  # the district's notice
ANSWER_GOAL_PERCENT = 95  # GB/T 33358-2016: in any 24 h
_SHORT_MS = 5_000
_ANSWER_MS = 15_000  # GB/T 33358-2016
_SERVED = frozenset({"served", "order", "elsewhere"})
_CONTENT_FROM = 3  # 基本满意


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
