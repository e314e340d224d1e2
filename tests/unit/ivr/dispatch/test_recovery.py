"""After a node was killed: its calls are closed, and only who rang us gets an order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

import config
from callback_scheduler.journal.journal import JournalEvent
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.dispatch.recovery import recover
from routing.clock import MovableClock
from routing.site import load_site
from tests.fakes.event_log import written
from tests.fakes.ledger import CALLER_NUMBER, EVENING, FakeLedger


class LedgerWithPast(FakeLedger):
    """A ledger whose journal ends in the middle of a call."""

    def __init__(self, **offered: Any) -> None:
        super().__init__()
        usual = {"call_id": "c1", "sip_call_id": "s1", "caller": CALLER_NUMBER, "called": "12345", "was_closed": True}
        self.past = [JournalEvent.new("call_offered", usual | offered, EVENING)]

    async def history(self, *event_types: str) -> list[JournalEvent]:
        return self.past


def recovered(ledger: LedgerWithPast, folder: Path) -> list[dict[str, Any]]:
    """Recover and return the records of calls that were closed."""
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    clock = MovableClock(EVENING, monotonic=lambda: 0.0)
    office = Office(site.settings, site.directory, site.calendar, site.hours, clock)
    done = ensureDeferred(recover(ledger, Orders(ledger, office), clock, folder))  # type: ignore[arg-type]
    assert done.called
    return ledger.of_type("call_ended")


@pytest.mark.parametrize("offered", [{}, {"direction": "in"}])
def test_a_caller_whose_node_died_gets_an_order(tmp_path: Path, offered: dict[str, str]) -> None:
    ledger = LedgerWithPast(**offered)
    (record,) = recovered(ledger, tmp_path)
    assert record["direction"] == "in"
    assert [draft.kind.value for draft in ledger.drafts] == ["interrupted"]
    # in this order: a node that dies in between still finds a call without an end
    assert ledger.log.first(written("order_opened")) < ledger.log.first(written("call_ended"))


def test_a_callback_whose_node_died_is_closed_and_opens_no_order(tmp_path: Path) -> None:
    ledger = LedgerWithPast(direction="callback", attempt_id="26031010001-a1", was_closed=False)
    (record,) = recovered(ledger, tmp_path)
    assert (record["direction"], record["attempt_id"]) == ("callback", "26031010001-a1")
    assert not ledger.drafts
