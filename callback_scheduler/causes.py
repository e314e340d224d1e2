"""Why an order missed its deadline, in one Chinese sentence, with a timeline of its legs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import NamedTuple

from callback_scheduler.compliance import (
    TRIES_THAT_EXCUSE,
    Facts,
    Verdict,
    first_talk_ms,
    tries_before,
)
from callback_scheduler.order import Attempt, AttemptOutcome, Order
from routing.clock import SHANGHAI

OUTCOME_WORDS = {
    AttemptOutcome.UNDER_WAY: "拨打未结束",
    AttemptOutcome.UNIT_NO_ANSWER: "单位无人接听",
    AttemptOutcome.UNIT_BUSY: "单位占线",
    AttemptOutcome.UNIT_REFUSED: "单位拒接",
    AttemptOutcome.NOT_ACCEPTED: "单位接听后未按1确认",
    AttemptOutcome.PASSED_ON: "单位按2转同事",
    AttemptOutcome.IN_TEN_MINUTES: "单位按3称十分钟后处理",
    AttemptOutcome.ENTERPRISE_BUSY: "企业占线",
    AttemptOutcome.ENTERPRISE_NO_ANSWER: "企业无人接听",
    AttemptOutcome.ENTERPRISE_REFUSED: "企业拒接",
    AttemptOutcome.TALK_TOO_SHORT: "双方通话不足10秒",
    AttemptOutcome.REACHED: "已接通",
    AttemptOutcome.CALLED_OFF: "系统取消拨打",
    AttemptOutcome.UNKNOWN: "系统中断，结果不明",
}
_BY_WORDS = {"timetable": "系统", "unit": "单位", "enterprise": "企业来电", "specialist": "专业人员"}


class Moment(NamedTuple):
    """One line of a timeline; `what` is Chinese."""

    at: datetime
    what: str


def cause(facts: Facts, verdict: Verdict, at_ms: int, due_ms: int) -> str:
    """Return one sentence telling why an order is late or missed at `at_ms`, "" if it is neither."""
    if verdict not in {Verdict.LATE, Verdict.MISSED}:
        return ""
    told = [_tries_told(facts, due_ms)]
    if facts.returns:
        told.append(f"退单{facts.returns}次")
    if facts.self_reported_ms:
        told.append(f"自行填报已联系（{_clock(facts.self_reported_ms)}），无通话证据")
    if verdict is Verdict.LATE:
        late_ms = first_talk_ms(facts, at_ms) - due_ms
        told.append(f"逾期{_length(late_ms)}后才接通")
    elif _talk_under_way_at(facts, due_ms):
        told.append("到时限时仍在通话或拨打")
    return "，".join(told) + "。"


def _tries_told(facts: Facts, due_ms: int) -> str:
    before = [one for one in facts.tries if one.begun_ms < due_ms]
    if not before:
        seen = f"单位{_clock(facts.acknowledged_ms)}已确认收单" if facts.acknowledged_ms else "单位未确认收单"
        return f"时限前从未拨打，{seen}"
    in_vain = (one for one in before if one.talk_ms == 0 or one.talk_ms >= due_ms)
    counted = Counter(OUTCOME_WORDS[AttemptOutcome(one.outcome)] for one in in_vain)
    counted.pop(OUTCOME_WORDS[AttemptOutcome.REACHED], None)
    results = "、".join(f"{words}{n}次" for words, n in counted.most_common())
    told = f"时限前拨打{len(before)}次" + (f"（{results}）" if results else "")
    tried = tries_before(facts, due_ms)
    if tried == 0 and not any(one.rung_ms for one in before):
        return f"{told}，企业电话从未拨出"
    return f"{told}，拨打企业{tried}次未满{TRIES_THAT_EXCUSE}次" if 0 < tried < TRIES_THAT_EXCUSE else told


def _talk_under_way_at(facts: Facts, due_ms: int) -> bool:
    return any(one.outcome == AttemptOutcome.UNDER_WAY.value and one.begun_ms < due_ms for one in facts.tries)


def _clock(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, timezone.utc).astimezone(SHANGHAI)
    return f"{at.month}月{at.day}日{at:%H:%M}"


def _length(ms: int) -> str:
    """Return `12分钟`, `3小时5分钟` or `2天4小时`; what is less than a minute is `不足1分钟`."""
    minutes = ms // 60_000
    if minutes < 1:
        return "不足1分钟"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "天"), (hours, "小时"), (minutes if not days else 0, "分钟"))
    return "".join(f"{n}{unit}" for n, unit in parts if n)


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
