"""Invented orders of a workday 09:41 and of the ten weeks before it: every state, every way to miss a deadline."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from callback_scheduler.orders.call_facts import CallFacts
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderState
from routing.clock import SHANGHAI
from tests.fakes.orders import an_order
from tests.fakes.site_operations import sample_site

NOW = datetime(2026, 3, 10, 9, 41, tzinfo=SHANGHAI)  # a Tuesday
_DAYS_BEFORE = 75
_STAYS_OPEN = timedelta(days=4)
_COMPANIES = (
    "上海长宁示例餐饮有限公司", "虹桥样本贸易（上海）有限公司", "", "天山路测试科技有限公司",
    "古北示范物业管理有限公司",
)  # fmt: skip
_Outcome = AttemptOutcome
_UNIT_ANSWERED = (_Outcome.REACHED, _Outcome.ENTERPRISE_BUSY, _Outcome.ENTERPRISE_NO_ANSWER, _Outcome.IN_TEN_MINUTES)


def today(hour: int, minute: int) -> datetime:
    """Return a time of this morning."""
    return NOW.replace(hour=hour, minute=minute)


def an_attempt(order: Order, number: int, begun_at: datetime, outcome: AttemptOutcome, talk_s: float = 0.0) -> Attempt:
    """Return an attempt that is over; with `talk_s` both talked, and there is a recording."""
    has_unit = outcome in _UNIT_ANSWERED
    rang_at = begun_at + timedelta(seconds=13) if has_unit and outcome is not _Outcome.IN_TEN_MINUTES else None
    evidence = Evidence(
        call_id=f"{order.order_id}-c{number}", unit_number="6111",
        unit_answered_at=begun_at + timedelta(seconds=8) if has_unit else None,
        accepted_at=begun_at + timedelta(seconds=12) if has_unit else None,
        enterprise_number=order.callback_number if rang_at else "",
        enterprise_answered_at=begun_at + timedelta(seconds=25) if talk_s else None,
        talk_began_at=begun_at + timedelta(seconds=26) if talk_s else None, two_way_s=talk_s,
        recording=f"{order.order_id}-{number}.wav" if talk_s else "",
    )  # fmt: skip
    return Attempt(
        attempt_id=f"{order.order_id}-a{number}", begun_at=begun_at, by="timetable", number=order.callback_number,
        unit_number="6111", outcome=outcome, ended_at=begun_at + timedelta(seconds=30 + talk_s),
        enterprise_rung_at=rang_at, evidence=evidence,
    )  # fmt: skip


class Story:
    """All orders and calls; the same each time."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.calls: list[CallFacts] = []
        self.unit_ids = [unit.unit_id for unit in sample_site().directory.units]
        self._random = random.Random(12345)
        for days in range(_DAYS_BEFORE, 0, -1):
            self._day_before(NOW.date() - timedelta(days=days))
        self._calls_of_today()
        self._of_today()
        self._without_number()

    def open(self, opened_at: datetime, unit_id: str, *, is_missed: bool = False, **changes: object) -> Order:
        """Let there be an order, of some company."""
        number = f"139{self._random.randrange(10**8):08}"
        site = sample_site()
        matter_id = next(matter.matter_id for matter in site.directory.matters if matter.unit_id == unit_id)
        order = replace(
            an_order(order_id=f"{opened_at:%y%m%d}1{len(self.orders) + 1:04}"), opened_at=opened_at, unit_id=unit_id,
            caller_number=number, callback_number=number, company=self._random.choice(_COMPANIES),
            matter_id=matter_id, deadline=deadline(site.calendar, opened_at, missed_in_hours=is_missed),
            call_id=f"call{len(self.orders)}", sent_at=opened_at + timedelta(minutes=1),
        )  # fmt: skip
        return self.put(order, **changes)

    def put(self, order: Order, **changes: object) -> Order:
        """Keep an order as it is now."""
        self.orders[order.order_id] = order = replace(order, **changes)  # type: ignore[arg-type]
        return order

    # -- before today -----------------------------------------------------------------------------------------------

    def _day_before(self, day: date) -> None:
        evening = datetime.combine(day, time(19, 30), SHANGHAI)
        for _ in range(self._random.randrange(2, 9)):
            opened_at = evening + timedelta(minutes=self._random.randrange(200))
            if deadline(sample_site().calendar, opened_at, missed_in_hours=False).due_at.date() < NOW.date():
                order = self.open(opened_at, self._random.choice(self.unit_ids))
                order = self._random.choices(_ENDS, _WEIGHTS)[0](self, order, self._some_time_of_the_morning(order))
                if order.due_at < NOW - _STAYS_OPEN:
                    self.put(order, state=OrderState.CLOSED, closed_at=order.due_at + timedelta(days=5))
        if sample_site().calendar.day(day).is_workday:
            for _ in range(self._random.randrange(10, 30)):
                minutes = self._random.randrange(450)
                self._call(datetime.combine(day, time(9), SHANGHAI) + timedelta(minutes=minutes))

    def _some_time_of_the_morning(self, order: Order) -> datetime:
        return order.due_at.replace(hour=9, minute=self._random.randrange(50))

    def _call(self, at: datetime) -> None:
        at_ms, is_served = int(at.timestamp() * 1000), self._random.random() < 0.93
        transfer = "accepted" if is_served else self._random.choice(["nobody", "abandoned"])
        unit_id = self._random.choice(self.unit_ids)
        self.calls.append(CallFacts(
            at_ms, True, unit_id, "served", 120_000, at_ms + 5000, at_ms + 12_000, transfer,
            60.0 if is_served else 0.0, False,
        ))  # fmt: skip

    def _calls_of_today(self) -> None:
        for minute in range(36):
            self._call(today(9, minute))

    # -- ends of an order ---------------------------------------------------------------------------------------------

    def reached(self, order: Order, at: datetime) -> Order:
        """Let it be rung back in time."""
        return self.put(
            order, state=OrderState.REACHED, acknowledged_at=at - timedelta(minutes=12),
            acknowledged_by=f"unit:{order.unit_id}:李四", reached_at=at + timedelta(seconds=26),
            attempts=(an_attempt(order, 1, at, _Outcome.REACHED, 95.0),),
        )  # fmt: skip

    def reached_late(self, order: Order, at: datetime) -> Order:
        """Let it be rung back half an hour after its time was over."""
        late = order.due_at + timedelta(minutes=35)
        attempts = (
            an_attempt(order, 1, at, _Outcome.UNIT_NO_ANSWER), an_attempt(order, 2, late, _Outcome.REACHED, 61.0),
        )  # fmt: skip
        return self.put(order, state=OrderState.REACHED, attempts=attempts, overdue_at=order.due_at, reached_at=late)

    def missed(self, order: Order, at: datetime) -> Order:
        """Let nobody ever ring the enterprise."""
        return self.put(
            order, state=OrderState.CLOSED, attempts=(an_attempt(order, 1, at, _Outcome.UNIT_NO_ANSWER),),
            overdue_at=order.due_at, closed_at=order.due_at + timedelta(hours=5),
        )  # fmt: skip

    def self_reported(self, order: Order, at: datetime) -> Order:
        """Let the unit say that it has rung by itself."""
        return self.put(
            order, state=OrderState.SELF_REPORTED, self_reported_at=at, self_report="已联系企业负责人，答应下午来窗口",
            self_reported_by=f"unit:{order.unit_id}:赵六",
        )  # fmt: skip

    def tried_three_times(self, order: Order, at: datetime) -> Order:
        """Let the enterprise not answer three times."""
        times = (at.replace(minute=minute) for minute in (2, 17, 32))
        attempts = tuple(an_attempt(order, n, on, _Outcome.ENTERPRISE_NO_ANSWER) for n, on in enumerate(times, 1))
        return self.put(order, state=OrderState.NOT_REACHED, attempts=attempts)

    # -- today ----------------------------------------------------------------------------------------------------

    def _of_today(self) -> None:
        before = datetime.combine(NOW.date() - timedelta(days=2), time(20), SHANGHAI)  # a Sunday: due on Monday
        friday = before - timedelta(days=3)
        self.reached_late(self.open(friday, "planning"), friday.replace(hour=9, minute=44) + timedelta(days=1))
        order = self.missed(self.open(before, "tax"), before.replace(hour=9, minute=20) + timedelta(days=1))
        self.put(order, state=OrderState.NOT_REACHED, closed_at=None)
        self.missed(self.open(before, "market"), before.replace(hour=9, minute=20) + timedelta(days=1))
        evening = datetime.combine(NOW.date() - timedelta(days=1), time(20), SHANGHAI)
        for n in range(9):
            self.reached(self.open(evening + timedelta(minutes=7 * n), self.unit_ids[n % 5]), today(9, 1 + 3 * n))
        self.open(evening + timedelta(minutes=2), "market", state=OrderState.SENT)
        self.open(
            evening + timedelta(minutes=5), "tax", state=OrderState.ACKNOWLEDGED, acknowledged_at=today(8, 47),
            acknowledged_by="unit:tax:李四", message_path="message.wav",
        )  # fmt: skip
        self._not_reached(evening)
        order = self.open(evening + timedelta(minutes=25), "market")
        under_way = replace(an_attempt(order, 1, NOW, _Outcome.UNDER_WAY), ended_at=None, evidence=None)
        self.put(order, state=OrderState.CALLING_BACK, attempts=(under_way,))
        self.self_reported(self.open(evening + timedelta(minutes=31), "construction"), today(9, 5))
        order = self.open(evening + timedelta(minutes=33), "tax")
        self.put(
            order, state=OrderState.NOT_REACHED, promised_at=today(9, 50), promised_by="unit:tax:李四",
            attempts=(an_attempt(order, 1, today(9, 40), _Outcome.IN_TEN_MINUTES),),
        )  # fmt: skip
        self.open(
            evening + timedelta(minutes=20), "human_resources", state=OrderState.RETURNED, returns=1,
            return_reason="属市场监管部门职责",
        )  # fmt: skip
        self.open(today(9, 12), "tax", is_missed=True, state=OrderState.SENT)
        self.open(today(9, 31), "tax", is_missed=True, written_request="小规模纳税人转一般纳税人，需要哪些材料？")

    def _without_number(self) -> None:
        """Let somebody abroad have left a message last night."""
        self.open(
            datetime.combine(NOW.date() - timedelta(days=1), time(20, 40), SHANGHAI), "tax", state=OrderState.SENT,
            caller_number="0085223456789", callback_number="", company="", message_path="message.wav",
        )  # fmt: skip

    def _not_reached(self, evening: datetime) -> None:
        """Let units and enterprises not answer this morning; the first is what a supervisor should see first."""
        for minutes, unit_id, outcomes in (
            (9, "tax", (_Outcome.UNIT_NO_ANSWER, _Outcome.UNIT_BUSY, _Outcome.UNIT_NO_ANSWER)),
            (15, "planning", (_Outcome.ENTERPRISE_NO_ANSWER, _Outcome.ENTERPRISE_BUSY)),
        ):
            order = self.open(evening + timedelta(minutes=minutes), unit_id)
            attempts = tuple(
                an_attempt(order, n, today(9, 13 * n - 12), outcome) for n, outcome in enumerate(outcomes, 1)
            )
            self.put(order, state=OrderState.NOT_REACHED, attempts=attempts)


_ENDS: tuple[Callable[[Story, Order, datetime], Order], ...] = (
    Story.reached, Story.reached_late, Story.missed, Story.self_reported, Story.tried_three_times,
)  # fmt: skip
_WEIGHTS = (84, 4, 4, 5, 3)
