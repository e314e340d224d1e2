"""Reports: the figures of `hotline report --json` for a period, a unit, a rule."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from callback_scheduler.reports.orders import By
from callback_scheduler.reports.report import Question
from callback_scheduler.reports.rules import rule_named
from console.api.declared import ApiRequest, Day, Query, operation
from console.api.hidden import words
from console.api.orders import UNIT, own_unit
from console.api.report_models import ReportAnswer, RuleName
from console.errors import Fault, Unprocessable

_LONGEST_DAYS = 800


class ReportQuery(Query):
    """What is asked; without a period this month."""

    since: Day | None = Field(default=None, alias="from", description="First day, in Shanghai; default: this month's.")
    until: Day | None = Field(default=None, alias="to", description="Last day; without it there is no end.")
    unit: str | None = UNIT
    rule: RuleName = Field(default="own", description="The deadline that is judged by: own is that of its time.")
    by: By = Field(default=By.UNIT, description="What a row stands for.")
    misses: int = Field(default=100, ge=0, le=1000, description="The most late and missed orders that are listed.")


@operation(
    "/api/v1/reports", scope="reports:read", tag="reports", answer=ReportAnswer, query=ReportQuery,
    summary="The figures of a period",
)  # fmt: skip
async def report(request: ApiRequest) -> ReportAnswer:
    """Rows hold the orders whose own deadline falls into the period, under every rule. See docs/report.md."""
    query: ReportQuery = request.query
    operations, now = request.visit.operations, request.visit.now()
    since = query.since or now.date().replace(day=1)
    days = ((query.until or max(now.date(), since)) - since).days
    if not 0 <= days <= _LONGEST_DAYS or since.year < 2000 or since.year > 2200:
        raise Unprocessable(key="api.period", faults=(Fault(where="query/from", what="no period of 0 to 800 days"),))
    rule = rule_named(query.rule, operations.calendar)
    unit_id = own_unit(request, query.unit)
    fields = (await operations.report(Question(now, rule, since, query.until, unit_id, query.by))).as_fields()
    fields["misses"] = [_miss(request, miss) for miss in fields["misses"][: query.misses]]
    return ReportAnswer.model_validate(fields)


def _miss(request: ApiRequest, miss: dict[str, Any]) -> dict[str, Any]:
    timeline = [moment | {"what": words(request, moment["what"])} for moment in miss["timeline"]]
    return miss | {"timeline": timeline}
