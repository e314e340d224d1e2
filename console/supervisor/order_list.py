"""The orders behind a figure: those that a report counted, by class, kind and stage, searched and in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.verdict import Stage, Verdict, milliseconds, stage
from callback_scheduler.reports.orders import COUNTED_AS, Judged
from callback_scheduler.reports.report import Report
from console.errors import BadInput
from console.supervisor.filters import page_number
from routing.number_search import has_part, number_parts
from routing.phone_numbers import digits_of

PAGE = 50
SEARCHED_AT_MOST = 5000
_CHUNK = 500
_FURTHER = {
    "dialled": frozenset({Stage.NOT_ANSWERED, Stage.NOT_JOINED, Stage.JOINED}),
    "answered": frozenset({Stage.NOT_JOINED, Stage.JOINED}),
    "joined": frozenset({Stage.JOINED}),
}
REACHED = tuple(_FURTHER)
Load = Callable[[list[str]], Awaitable[list[Order]]]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which orders of a report are listed: "" and None mean all; `is_due` those whose deadline has passed."""

    verdict: Verdict | None = None
    counted_as: str = ""
    reached: str = ""
    is_due: bool = False
    words: str = ""
    page: int = 1

    def query(self) -> dict[str, str]:
        """Return it as fields of an address, without the page."""
        return {
            "verdict": self.verdict.value if self.verdict else "", "kind": self.counted_as, "reached": self.reached,
            "due": "1" if self.is_due else "", "q": self.words,
        }  # fmt: skip


def narrowing_of(args: Mapping[str, str]) -> Narrowing:
    """Return which orders an address names; BadInput if it names no such class, kind or stage."""
    verdict, kind, reached = args.get("verdict", ""), args.get("kind", ""), args.get("reached", "")
    is_known = verdict in {"", *(one.value for one in Verdict)} and kind in ("", *COUNTED_AS)
    if not is_known or reached not in ("", *REACHED):
        raise BadInput
    words, page = args.get("q", "").strip()[:60], page_number(args)
    return Narrowing(Verdict(verdict) if verdict else None, kind, reached, bool(args.get("due")), words, page)


def behind(report: Report, narrowing: Narrowing) -> list[Judged]:
    """Return the orders that a figure counts, latest deadline first."""
    at_ms = milliseconds(report.question.at)
    judged = [one for one in report.judged if _fits(one, narrowing, at_ms)]
    return sorted(judged, key=lambda one: (one.due_ms, one.facts.order_id), reverse=True)


def _fits(one: Judged, narrowing: Narrowing, at_ms: int) -> bool:
    if narrowing.verdict is not None and one.verdict is not narrowing.verdict:
        return False
    if narrowing.verdict is None and one.verdict is Verdict.MERGED:
        return False  # counted under another number
    if narrowing.counted_as not in ("", one.facts.counted_as) or (narrowing.is_due and one.due_ms > at_ms):
        return False
    return not narrowing.reached or stage(one.facts, at_ms) in _FURTHER[narrowing.reached]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the orders found; `count` is how many there are, `was_cut` that more were there than are searched."""

    rows: Sequence[tuple[Judged, Order]]
    count: int
    page: int
    was_cut: bool = False

    @property
    def pages(self) -> int:
        """How many pages there are, 1 at least."""
        return max(1, ceil(self.count / PAGE))


async def page_of(judged: Sequence[Judged], narrowing: Narrowing, load: Load) -> Page:
    """Return the page that is named; with words only orders that have them in number, phone or company."""
    if not narrowing.words:
        rows = await _loaded(judged[(narrowing.page - 1) * PAGE : narrowing.page * PAGE], load)
        return Page(rows, len(judged), narrowing.page)
    fitting: list[tuple[Judged, Order]] = []
    for first in range(0, min(len(judged), SEARCHED_AT_MOST), _CHUNK):
        rows = await _loaded(judged[first : first + _CHUNK], load)
        fitting += [row for row in rows if _has(row[1], narrowing.words)]
    part = fitting[(narrowing.page - 1) * PAGE : narrowing.page * PAGE]
    return Page(part, len(fitting), narrowing.page, len(judged) > SEARCHED_AT_MOST)


async def _loaded(part: Sequence[Judged], load: Load) -> list[tuple[Judged, Order]]:
    orders = {order.order_id: order for order in await load([one.facts.order_id for one in part])}
    return [(one, orders[one.facts.order_id]) for one in part if one.facts.order_id in orders]


def _has(order: Order, words: str) -> bool:
    """Whether an order has `words` in a phone's number, at an end of its own, or anywhere in its company's name."""
    parts = number_parts(words)
    if any(has_part(number, parts) for number in (order.callback_number, order.caller_number)):
        return True
    digits = digits_of(words)
    if digits is not None:
        return order.order_id.endswith(digits) or order.order_id.startswith(digits)
    return words.casefold() in order.company.casefold()
