"""A real console with fake operations and a day of orders and calls: for programs. `python api_serving.py <folder>`."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from callback_scheduler.orders.states import OrderState
from tests.fakes.operations import MORNING, FakeOperations
from tests.web.api_sample import call_records, healthy, just_offered, orders_of_a_day, report_of
from tests.web.serving import serve


def operations() -> FakeOperations:
    """Return operations with something to read everywhere, and acts that all come about."""
    made = FakeOperations()
    made.orders_there = {order.order_id: order for order in orders_of_a_day(MORNING, 60)}
    made.calls_there = [just_offered(), *call_records(MORNING, 60)]
    made.status_now |= healthy()
    made.answers["report"] = report_of(list(made.orders_there.values()), date(2026, 3, 1), MORNING)
    made.answers["online.open_for_online"] = {
        "order_id": next(iter(made.orders_there)), "was_merged": False, "asked_at": MORNING.isoformat(),
        "due_at": (MORNING + timedelta(hours=1)).isoformat(), "is_text_kept": True,
        "is_calling": True, "why_not_calling": "",
    }  # fmt: skip
    made.answers["online.first_response_s"] = 42.5
    assert any(order.state is OrderState.SENT for order in made.orders_there.values())
    return made


if __name__ == "__main__":
    serve(Path(sys.argv[1]), operations(), api_per_s=10_000, api_burst=100_000)
