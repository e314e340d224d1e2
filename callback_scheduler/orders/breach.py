"""Why an order without proof is frozen overdue at its deadline, in one Chinese sentence."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from callback_scheduler.orders.cause_words import OUTCOME_WORDS
from callback_scheduler.orders.causes import cause
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.verdict import Verdict, facts_of, judge, milliseconds
from routing.clock import SHANGHAI


def breach_cause(order: Order, at: datetime) -> str:
    """Return the sentence that is kept with the breach; it tells of attempts up to `at`."""
    facts = facts_of(order)
    at_ms = milliseconds(at)
    verdict = judge(facts, at_ms, facts.due_ms)
    told = cause(facts, verdict, at_ms, facts.due_ms)
    if told:
        return told
    if verdict is Verdict.SELF_REPORTED and order.self_reported_at is not None:
        when = order.self_reported_at.astimezone(SHANGHAI)
        return f"单位于{when.month}月{when.day}日{when:%H:%M}自行填报已联系，无通话证据。"
    tried = [attempt.outcome for attempt in order.attempts if attempt.outcome.counts_as_tried]
    results = "、".join(f"{OUTCOME_WORDS[outcome]}{n}次" for outcome, n in Counter(tried).most_common())
    return f"已尽责未接通：时限前拨打企业{len(tried)}次（{results}）。"
