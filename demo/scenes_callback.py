"""The scenes of the next morning: an order that is rung back, and one that nobody answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from demo.scenes import CALLER_NUMBER, EVENING, Scene, SceneReport, Stage, has_sound, levels, wait_step

NINE = datetime.combine(EVENING + timedelta(days=1), datetime.min.time(), EVENING.tzinfo) + timedelta(hours=9)
DEADLINE = NINE + timedelta(hours=1)
# The district's bureaus in the sample directory.
_MARKET, _TAX, _SOCIAL = ("6101", "6102", "6103"), ("6111", "6112", "6113"), ("6121", "6122", "6123")
_LEADER = "6129"
_VERDICTS = ("on_time", "self_reported", "attempted", "late", "missed", "not_yet_due")


def rung_back(stage: Stage, report: SceneReport) -> None:
    """09:00 on the workday: the unit is rung and accepts, only then the enterprise; they talk, and it is proved."""
    order_id = _order_about(stage, "tax")
    _seat_people(stage)
    report.tell("it is 09:00; the service rings the tax bureau about the order of 21:00")
    stage.service.set_clock(NINE)
    stage.specialist.wait_answered(40)  # other orders of this enterprise may have their turn first
    report.tell(f"specialist {_TAX[0]} answers, and hears what it is about")
    time.sleep(1.5)
    report.prove("the enterprise is not rung before the specialist has pressed 1", _rung(stage, CALLER_NUMBER) == 0)
    report.tell("the specialist presses 1; only now the enterprise is rung")
    stage.specialist.press("1")
    stage.caller.wait_answered(15)
    report.tell("the enterprise answers, and hears who is ringing back")
    wait_step(stage, "talk")
    matrix = report.matrix = stage.exchange.audio_matrix(stage.caller, stage.specialist, seconds=1.0)
    report.prove("after the introduction enterprise and specialist hear each other", matrix.all_hear_each_other(),
                 levels(matrix))
    report.tell("they talk: ten seconds count as a talk")
    stage.caller.talk()
    stage.specialist.talk()
    time.sleep(10.5)
    report.tell("the specialist hangs up; the enterprise rates by keys: 5, and 1 for solved")
    stage.specialist.hangup()
    wait_step(stage, "survey")
    stage.caller.press("5")
    time.sleep(0.7)
    stage.caller.press("1")
    stage.caller.wait_ended(15)
    order = _wait_order(stage, order_id, lambda order: order["state"] == "reached")
    report.call = next(call for call in stage.service.ask("calls") if order_id in call["order_ids"]
                       and call["direction"] == "callback")
    report.orders.append(order)
    _prove_evidence(report, order)
    summary = stage.service.report(NINE + timedelta(minutes=5))
    report.prove("hotline report: the tax bureau is on time by evidence", _verdicts(summary, "tax") == {"on_time": 1},
                 _verdicts(summary, "tax"))


def _prove_evidence(report: SceneReport, order: dict[str, Any]) -> None:
    evidence = order["attempts"][-1]["evidence"]
    moments = [evidence[name] for name in
               ("unit_answered_at", "accepted_at", "enterprise_answered_at", "talk_began_at")]
    report.prove("evidence: unit answered, key 1, enterprise answered, talk, in this order",
                 None not in moments and moments == sorted(moments), " ".join(moment[11:19] for moment in moments))
    report.prove("evidence: 10 s of talk or more both ways, recorded",
                 evidence["two_way_s"] >= 10.0 and has_sound(evidence["recording"], 430), f"{evidence['two_way_s']} s")
    report.prove("首次接通 is before the deadline, and the rating is kept with the order",
                 order["reached_at"] < order["due_at"] and (order["survey_level"], order["is_solved"]) == (5, True),
                 f"{order['reached_at'][11:19]}, {order['survey_level']}")


def nobody_rings_back(stage: Stage, report: SceneReport) -> None:
    """Nobody at the unit answers: second tier, head, leader, and a breach frozen at 10:00:00."""
    order_id = _order_about(stage, "social_insurance")
    _seat_people(stage)
    report.tell("the order of 21:10: at the human resources bureau every phone rings, and nobody is there")
    _wait_order(stage, order_id, lambda order: order["state"] == "not_reached")
    report.prove("09:00  the first tier is rung, the second is not",
                 _rung(stage, _SOCIAL[0]) > 0 and _rung(stage, _SOCIAL[2]) == 0)
    _set_clock(stage, report, NINE + timedelta(minutes=12))
    report.prove("09:12  the second tier is rung", _comes_true(lambda: _rung(stage, _SOCIAL[2]) > 0))
    _set_clock(stage, report, NINE + timedelta(minutes=25))
    report.prove("09:25  escalated to the head of section", _comes_true(lambda: _has_done(stage, order_id, "head")))
    _set_clock(stage, report, NINE + timedelta(minutes=40))
    report.prove("09:40  the leader is rung", _comes_true(lambda: _rung(stage, _LEADER) > 0))
    _set_clock(stage, report, DEADLINE - timedelta(seconds=3))
    time.sleep(1.5)
    report.prove("09:59:59  not overdue yet", stage.service.ask("order", order_id=order_id)["overdue_at"] is None)
    order = _wait_order(stage, order_id, lambda order: order["overdue_at"] is not None)
    report.orders.append(order)
    report.prove("10:00:00  the breach is frozen, with its cause in one sentence",
                 datetime.fromisoformat(order["overdue_at"]) == DEADLINE and bool(order["breach_cause"]),
                 f"{order['overdue_at'][11:19]}  {order['breach_cause']}")
    report.prove("the enterprise was not rung for a unit that did not accept: once this morning, for the tax bureau",
                 _rung(stage, CALLER_NUMBER) == 1,
                 ", ".join(attempt["outcome"] for attempt in order["attempts"]))
    summary = stage.service.report(DEADLINE + timedelta(seconds=5))
    report.prove("hotline report: the bureau has missed one",
                 _verdicts(summary, "human_resources") == {"missed": 1}, _verdicts(summary, "human_resources"))


CALLBACK_SCENES = (
    Scene("09:00  the unit is rung back for, accepts, and talks with the enterprise", rung_back, claims=6),
    Scene("09:00  nobody answers → second tier → head → leader → breach at 10:00:00", nobody_rings_back, claims=8),
)


def _set_clock(stage: Stage, report: SceneReport, at: datetime) -> None:
    report.tell(f"the clock is set to {at:%H:%M:%S}")
    stage.service.set_clock(at)


def _seat_people(stage: Stage) -> None:
    """At the tax bureau one specialist is there; the market bureau is busy; at the social insurance phones ring."""
    board = stage.switchboard
    for number in (*_MARKET, "6109", *_TAX):
        board.refuse(number, 486)
    for number in (*_SOCIAL, _LEADER):
        board.dead_ring(number)
    board.connect(_TAX[0], stage.specialist.sip_port)
    board.connect(CALLER_NUMBER, stage.caller.sip_port)
    stage.specialist.auto_answer(after_s=0.3)
    stage.caller.auto_answer(after_s=0.3)


def _order_about(stage: Stage, matter_id: str) -> str:
    """Return the order number of the evening's request about a matter."""
    return str(next(order["order_id"] for order in stage.service.ask("orders") if order["matter_id"] == matter_id))


def _rung(stage: Stage, number: str) -> int:
    return stage.switchboard.count("INVITE", number)


def _has_done(stage: Stage, order_id: str, step: str) -> bool:
    order = stage.service.ask("order", order_id=order_id)
    return any(done.startswith(f"{step}@") for done in order["steps_done"])


def _comes_true(claim: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if claim():
            return True
        time.sleep(0.1)
    return claim()


def _wait_order(
    stage: Stage, order_id: str, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 20.0
) -> dict[str, Any]:
    order: dict[str, Any] = {}

    def does() -> bool:
        order.update(stage.service.ask("order", order_id=order_id))
        return holds(order)

    if not _comes_true(does, timeout_s):
        raise TimeoutError(f"order {order_id} stayed {order}")
    return order


def _verdicts(summary: dict[str, Any], unit_id: str) -> dict[str, int]:
    """Return how many orders of a unit came to which verdict, without those of which there are none."""
    rows = [kind["rows"].get(unit_id, {}) for kind in summary["orders"].values()]
    counts = {verdict: sum(row.get(verdict, 0) for row in rows) for verdict in _VERDICTS}
    return {verdict: count for verdict, count in counts.items() if count}
