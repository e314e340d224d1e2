"""The words in which a missed deadline is told: Chinese, and English for the pages of who switched to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from callback_scheduler.orders.order import AttemptOutcome

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


@dataclass(frozen=True)
class CauseWords:
    """One language: templates, with the values that they take."""

    outcomes: Mapping[AttemptOutcome, str]
    never_dialled: str
    acknowledged: str  # at
    not_acknowledged: str
    dialled: str  # n
    outcome: str  # what, n
    outcomes_in: str  # outcomes
    never_rung: str
    rung_too_seldom: str  # n, needed
    returned: str  # n
    self_reported: str  # at
    late: str  # length
    still_at_it: str
    moment: str  # as strftime takes it, with {month} and {day} before
    less_than_a_minute: str
    days: str  # n
    hours: str
    minutes: str
    between_lengths: str
    between_outcomes: str
    between: str
    end: str


CHINESE = CauseWords(
    outcomes=OUTCOME_WORDS,
    never_dialled="时限前从未拨打",
    acknowledged="单位{at}已确认收单",
    not_acknowledged="单位未确认收单",
    dialled="时限前拨打{n}次",
    outcome="{what}{n}次",
    outcomes_in="（{outcomes}）",
    never_rung="企业电话从未拨出",
    rung_too_seldom="拨打企业{n}次未满{needed}次",
    returned="退单{n}次",
    self_reported="自行填报已联系（{at}），无通话证据",
    late="逾期{length}后才接通",
    still_at_it="到时限时仍在通话或拨打",
    moment="{month}月{day}日%H:%M",
    less_than_a_minute="不足1分钟",
    days="{n}天",
    hours="{n}小时",
    minutes="{n}分钟",
    between_lengths="",
    between_outcomes="、",
    between="，",
    end="。",
)
ENGLISH = CauseWords(
    outcomes={
        AttemptOutcome.UNDER_WAY: "not ended",
        AttemptOutcome.UNIT_NO_ANSWER: "unit did not answer",
        AttemptOutcome.UNIT_BUSY: "unit busy",
        AttemptOutcome.UNIT_REFUSED: "unit refused",
        AttemptOutcome.NOT_ACCEPTED: "unit answered, no key 1",
        AttemptOutcome.PASSED_ON: "unit passed on by key 2",
        AttemptOutcome.IN_TEN_MINUTES: "unit said “in ten minutes” by key 3",
        AttemptOutcome.ENTERPRISE_BUSY: "enterprise busy",
        AttemptOutcome.ENTERPRISE_NO_ANSWER: "enterprise did not answer",
        AttemptOutcome.ENTERPRISE_REFUSED: "enterprise refused",
        AttemptOutcome.TALK_TOO_SHORT: "talk of less than 10 s",
        AttemptOutcome.REACHED: "reached",
        AttemptOutcome.CALLED_OFF: "called off by the service",
        AttemptOutcome.UNKNOWN: "cut off, outcome unknown",
    },
    never_dialled="never dialled before the deadline",
    acknowledged="acknowledged by the unit at {at}",
    not_acknowledged="never acknowledged by the unit",
    dialled="dialled before the deadline: {n}×",
    outcome="{what} {n}×",
    outcomes_in=" ({outcomes})",
    never_rung="the enterprise was never rung",
    rung_too_seldom="the enterprise was rung {n}×, {needed} would count",
    returned="returned by the unit {n}×",
    self_reported="said to be done ({at}), without evidence of a call",
    late="reached only {length} after the deadline",
    still_at_it="still talking or dialling at the deadline",
    moment="{month:02}-{day:02} %H:%M",
    less_than_a_minute="less than 1 min",
    days="{n} d",
    hours="{n} h",
    minutes="{n} min",
    between_lengths=" ",
    between_outcomes=", ",
    between="; ",
    end=".",
)
