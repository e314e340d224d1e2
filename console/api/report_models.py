"""A report as the API answers it: the figures of `hotline report --json`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from callback_scheduler.orders.verdict import Verdict
from callback_scheduler.reports.orders import By
from console.api.declared import Answer

CountedAs = Literal["after_hours", "missed_in_hours", "online"]
RuleName = Literal["own", "workday-10:00", "city-24h"]


class RateAnswer(Answer):
    """A rate, never without what it is of."""

    numerator: int
    denominator: int
    percent: float | None = Field(description="null of nothing")


class Funnel(Answer):
    """Orders by how far the furthest try came."""

    never_dialled: int
    not_answered: int
    not_joined: int
    joined: int


class FirstContact(Answer):
    """From the call to the first evidenced talk, in minutes."""

    contacted: int
    wall_p50_min: float | None
    wall_p90_min: float | None
    working_p50_min: float | None
    working_p90_min: float | None


class OrderRow(Answer):
    """What the orders of one row came to; each is in exactly one class."""

    orders: int
    on_time: int
    self_reported: int
    attempted: int
    late: int
    missed: int
    not_yet_due: int
    merged: int
    due: int
    on_time_rate: RateAnswer
    funnel: Funnel
    first_contact: FirstContact


class OrderRows(Answer):
    """Rows by unit, day or month."""

    rows: dict[str, OrderRow]
    total: OrderRow


class OrderFigures(Answer):
    """Orders left after hours, orders missed in working hours, and those a chat asked for in them, counted apart."""

    after_hours: OrderRows
    missed_in_hours: OrderRows
    online: OrderRows


class CallRow(Answer):
    """What the calls and ratings of one row came to."""

    offered: int
    answered: int
    hung_up_early: int
    asked: int
    reached_person: int
    within_15_s: int
    transfers: int
    transfers_connected: int
    transfers_abandoned: int
    surveyed: int
    rated: int
    content: int
    said_solved_or_not: int
    solved: int
    answer_rate: RateAnswer
    answer_rate_of_all: RateAnswer
    within_15_s_of_answered: RateAnswer
    within_15_s_of_asked: RateAnswer
    three_way_rate: RateAnswer
    three_way_rate_without_abandoned: RateAnswer
    solved_rate: RateAnswer
    content_rate: RateAnswer
    participation_rate: RateAnswer


class CallFigures(Answer):
    """Rows of calls; `since` is the first call known of the period."""

    since: datetime | None
    rows: dict[str, CallRow]
    total: CallRow


class Budget(RateAnswer):
    """How many more transfers may fail in a row before the rate falls below its goal."""

    goal_percent: int
    left: int
    needed: int


class Budgets(Answer):
    """Of today, and of the period."""

    today: Budget
    period: Budget


class MissMoment(Answer):
    """A moment of an order that was missed."""

    at: datetime
    what: str


class MissAnswer(Answer):
    """An order that is late or missed, and why."""

    order_id: str
    unit_id: str
    counted_as: CountedAs
    opened_at: datetime
    due_at: datetime
    verdict: Verdict
    cause: str
    timeline: list[MissMoment]


class ReportAnswer(Answer):
    """The figures of a period."""

    at: datetime
    since: date = Field(alias="from", serialization_alias="from")
    to: date | None
    unit: str | None
    by: By
    rule: RuleName
    orders: OrderFigures
    calls: CallFigures
    error_budget: Budgets
    misses: list[MissAnswer]
