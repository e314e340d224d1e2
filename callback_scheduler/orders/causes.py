"""Why an order missed its deadline, in one sentence: as a report tells it, as its breach keeps it; with a timeline."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import NamedTuple

from callback_scheduler.orders.cause_words import CHINESE, OUTCOME_WORDS, CauseWords
from callback_scheduler.orders.order import Attempt, AttemptOutcome, BegunBy, Order
from callback_scheduler.orders.verdict import (
    TRIES_THAT_EXCUSE,
    Facts,
    Verdict,
    facts_of,
    first_talk_ms,
    judge,
    known_at,
    milliseconds,
    tries_before,
)
from routing.clock import SHANGHAI

_BY_WORDS: dict[str, str] = {
    BegunBy.TIMETABLE: "系统",
    BegunBy.UNIT: "单位",
    BegunBy.ENTERPRISE: "企业来电",
    BegunBy.SPECIALIST: "专业人员",
}


class Moment(NamedTuple):
    """One line of a timeline; `what` is Chinese."""

    at: datetime
    what: str


def cause(facts: Facts, verdict: Verdict, at_ms: int, due_ms: int, words: CauseWords = CHINESE) -> str:
    """Return one sentence telling why an order is late or missed at `at_ms`, "" if it is neither."""
    if verdict not in {Verdict.LATE, Verdict.MISSED}:
        return ""
    told = _tries_told(facts, at_ms, due_ms, words)
    if facts.returns:
        told.append(words.returned.format(n=facts.returns))
    if 0 < facts.self_reported_ms <= at_ms:
        told.append(words.self_reported.format(at=_clock(facts.self_reported_ms, words)))
    if verdict is Verdict.LATE:
        late_ms = first_talk_ms(facts, at_ms) - due_ms
        told.append(words.late.format(length=_length(late_ms, words)))
    elif _talk_under_way_at(facts, due_ms):
        told.append(words.still_at_it)
    sentence = words.between.join(told) + words.end
    return sentence[0].upper() + sentence[1:]


def _tries_told(facts: Facts, at_ms: int, due_ms: int, words: CauseWords) -> list[str]:
    before = [one for one in facts.tries if one.begun_ms < due_ms]
    if not before:
        was_seen = 0 < facts.acknowledged_ms <= at_ms
        seen = words.acknowledged.format(at=_clock(facts.acknowledged_ms, words)) if was_seen else ""
        return [words.never_dialled, seen or words.not_acknowledged]
    in_vain = (one for one in before if one.talk_ms == 0 or one.talk_ms >= due_ms)
    counted = Counter(AttemptOutcome(one.outcome) for one in in_vain)
    counted.pop(AttemptOutcome.REACHED, None)
    results = words.between_outcomes.join(
        words.outcome.format(what=words.outcomes[outcome], n=n) for outcome, n in counted.most_common()
    )
    told = [words.dialled.format(n=len(before)) + (words.outcomes_in.format(outcomes=results) if results else "")]
    tried = tries_before(facts, due_ms)
    if tried == 0 and not any(one.rung_ms for one in before):
        told.append(words.never_rung)
    elif 0 < tried < TRIES_THAT_EXCUSE:
        told.append(words.rung_too_seldom.format(n=tried, needed=TRIES_THAT_EXCUSE))
    return told


def _talk_under_way_at(facts: Facts, due_ms: int) -> bool:
    return any(one.outcome == AttemptOutcome.UNDER_WAY.value and one.begun_ms < due_ms for one in facts.tries)


def _clock(at_ms: int, words: CauseWords) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, timezone.utc).astimezone(SHANGHAI)
    return f"{at:{words.moment.format(month=at.month, day=at.day)}}"


def _length(ms: int, words: CauseWords) -> str:
    """Return `12分钟`, `3小时5分钟` or `2天4小时`; what is less than a minute is `不足1分钟`."""
    minutes = ms // 60_000
    if minutes < 1:
        return words.less_than_a_minute
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, words.days), (hours, words.hours), (minutes if not days else 0, words.minutes))
    return words.between_lengths.join(unit.format(n=n) for n, unit in parts if n)


def breach_cause(order: Order, at: datetime) -> str:
    """Return the sentence that is kept with the breach; it tells of attempts up to `at`."""
    at_ms = milliseconds(at)
    facts = known_at(facts_of(order), at_ms)
    verdict = judge(facts, at_ms, facts.due_ms)
    told = cause(facts, verdict, at_ms, facts.due_ms)
    if told:
        return told
    if verdict is Verdict.SELF_REPORTED:
        return f"单位于{_clock(facts.self_reported_ms, CHINESE)}自行填报已联系，无通话证据。"
    tried = [attempt.outcome for attempt in order.attempts if attempt.outcome.counts_as_tried]
    results = "、".join(f"{OUTCOME_WORDS[outcome]}{n}次" for outcome, n in Counter(tried).most_common())
    return f"已尽责未接通：时限前拨打企业{len(tried)}次（{results}）。"


def timeline(order: Order) -> list[Moment]:
    """Return what happened to `order` and to each leg of its attempts, in order of time."""
    moments = [Moment(order.opened_at, "来电，工单生成"), Moment(order.deadline.due_at, "回电时限")]
    marks = (
        (order.sent_at, "派单至单位"),
        (order.acknowledged_at, "单位确认收单"),
        (order.self_reported_at, "单位自行填报已联系"),
        (order.written_answer_at, f"书面答复：{order.written_answer}"),
        (order.overdue_at, "记录逾期"),
        (order.closed_at, "工单办结"),
    )
    moments += [Moment(at, what) for at, what in marks if at is not None]
    for number, attempt in enumerate(order.attempts, start=1):
        moments += _legs(number, attempt)
    return sorted(moments, key=lambda moment: moment.at)


def _legs(number: int, attempt: Attempt) -> list[Moment]:
    name = f"第{number}次拨打"
    begun_by = _BY_WORDS.get(attempt.by, attempt.by)
    evidence = attempt.evidence
    marks = [
        (attempt.begun_at, f"{name}开始（{begun_by}）"),
        (attempt.enterprise_rung_at, f"{name}：拨企业"),
        (attempt.ended_at, f"{name}结束：{OUTCOME_WORDS[attempt.outcome]}"),
    ]
    if evidence is not None:
        marks += [
            (evidence.unit_answered_at, f"{name}：单位接听"),
            (evidence.accepted_at, f"{name}：单位按1确认"),
            (evidence.enterprise_answered_at, f"{name}：企业接听"),
            (evidence.talk_began_at, f"{name}：双方通话，共{evidence.two_way_s:.0f}秒"),
        ]
    return [Moment(at, what) for at, what in marks if at is not None]
