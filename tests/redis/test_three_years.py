"""A node lives three years by the clock: nobody who is forgotten stands in any file, and the chain is whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.ledger.verification import verify
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderEvent as E
from callback_scheduler.timetable.housekeeping import Housekeeping
from config.keeping import KeepingSettings
from tests.redis.nodes import EVENING, InReactor, Node, wait_until

KEEP_DAYS = 1096
EVERY_DAYS = 60
DAYS = 1500
PEOPLE = DAYS // EVERY_DAYS


def phone(n: int) -> str:
    return f"1380013{n:04d}"


def moved_phone(n: int) -> str:
    return f"1390024{n:04d}"


def company(n: int) -> str:
    return f"第{n:04d}号公司"


def words(n: int) -> str:
    return f"想问第{n:04d}件事"


class Life:
    """A node whose callers come every sixty days, each with all that the house writes down of one."""

    def __init__(self, node: Node, in_reactor: InReactor) -> None:
        self.node, self.in_reactor = node, in_reactor
        node.start()
        node.ledger._journal._segment_bytes = 20_000
        self.recordings = node.data_dir / "recordings"
        self.house = Housekeeping(node.ledger, KeepingSettings(keep_days=KEEP_DAYS), self, self.recordings)

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        await self.node.ledger.write("notice_given", {"order_id": order.order_id, "company": order.company}, at)

    def at(self, n: int) -> datetime:
        return EVENING + timedelta(days=n * EVERY_DAYS)

    def call(self, n: int) -> Any:
        """A caller leaves an order: returns what they were told."""
        at, call_id = self.at(n), f"{self.at(n):%Y%m%dT%H%M%S}-{n:08x}"
        said = self.recordings / f"{at:%Y/%m/%d}" / f"{call_id}-message.wav"
        said.parent.mkdir(parents=True)
        said.write_bytes(words(n).encode())
        offered = {"call_id": call_id, "sip_call_id": "x", "caller": phone(n), "called": "12345", "was_closed": True}
        self.node.ask("write", "call_offered", offered, at)
        self.node.ask("write", "request_noted", {"call_id": call_id, "callback_number": phone(n)}, at)
        opened = self.node.open_order(
            phone(n), call_id=call_id, company=company(n), message_path=str(said), after=at - EVENING
        )
        ended = {"call_id": call_id, "caller_number": phone(n), "legs": [{"number": phone(n)}]}
        self.node.ask("write", "call_ended", ended, at)
        self.node.ask("write", "wrap_up_noted", {"call_id": call_id, "text": words(n)}, at)
        self.note(opened.order_id, {"callback_number": moved_phone(n), "written_request": words(n)}, at)
        return opened

    def note(self, order_id: str, changes: dict[str, Any], at: datetime) -> None:
        note = self.node.ledger.orders.note_order
        self.in_reactor(note, order_id, "told", who="caller", why=words(0), changes=changes, at=at)

    def settle(self, n: int, order_id: str) -> None:
        at = self.at(n) + timedelta(hours=14)
        evidence = Evidence(call_id="c", unit_number="6101", enterprise_number=moved_phone(n))
        attempt = Attempt(
            attempt_id=f"{order_id}-a1", begun_at=at, by="timetable", number=moved_phone(n), evidence=evidence,
            outcome=AttemptOutcome.ENTERPRISE_BUSY, ended_at=at,
        )  # fmt: skip
        change = self.node.ledger.orders.change_order
        self.in_reactor(change, order_id, E.ATTEMPT_BEGUN, who="timetable", at=at, attempt=attempt)
        self.in_reactor(change, order_id, E.ATTEMPT_FAILED, who="timetable", at=at)
        self.in_reactor(change, order_id, E.CLOSED, who="operator", why=f"已答复{company(n)}", at=at)

    def live(self, still_open: int) -> list[str]:
        """Let all callers come, and all orders but one be closed; housekeeping runs once for each."""
        orders = []
        for n in range(PEOPLE):
            orders.append(self.call(n).order_id)
            if n != still_open:
                self.settle(n, orders[-1])
            self.node.settle()
            self.in_reactor(self.house.run, self.at(n) + timedelta(hours=8))
        return orders

    def known(self) -> set[int]:
        """Who is known by the end: who called in the last three years."""
        end = self.at(PEOPLE - 1)
        return {n for n in range(PEOPLE) if self.at(n) > end - timedelta(days=KEEP_DAYS)}


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def who_stands_in(content: bytes) -> set[int]:
    """Everybody of whom a number, a name or a text stands in plain bytes."""
    signs = (phone, moved_phone, company, words)
    return {n for n in range(1, PEOPLE) if any(sign(n).encode() in content for sign in signs)}


@pytest.fixture
def life(node: Node, in_reactor: InReactor) -> Life:
    return Life(node, in_reactor)


def test_nobody_who_is_forgotten_stands_in_any_file_and_an_open_order_pins_itself_alone(life: Life) -> None:
    node, still_open = life.node, 5
    orders = life.live(still_open)
    kept = life.known() | {still_open}
    in_files = who_stands_in(everything(node.data_dir))
    assert life.known() <= in_files <= kept  # Redis has those who are known in plain text
    assert verify(node.data_dir / "journal").is_whole
    assert {order.company for order in node.ask("orders.latest", 1000)} == {company(n) for n in kept}
    # what was forgotten is so for everybody: also Redis, built anew from the journal, does not know it
    node.ledger._store._redis.flushall()
    wait_until(lambda: node.ledger.status()["redis"]["rebuilds"] == 1)
    wait_until(lambda: len(node.ask("orders.latest", 1)) > 0)
    node.settle()
    assert {order.company for order in node.ask("orders.latest", 1000)} == {company(n) for n in kept}
    order = node.ask("orders.order", orders[still_open])
    assert (order.callback_number, order.written_request) == (moved_phone(still_open), words(still_open))
    assert Path(order.message_path).exists()
    journals = everything(node.data_dir / "journal")
    assert who_stands_in(journals) == set()  # sealed, also what is known
    assert orders[6].encode() in journals  # in the file of the order that is still owed
    life.note(orders[still_open], {"written_answer": words(still_open)}, life.at(PEOPLE))
    node.restart()
    node.settle()
    assert node.ask("orders.order", orders[still_open]).written_answer == words(still_open)
