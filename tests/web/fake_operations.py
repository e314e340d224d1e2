"""Operations without a node: orders and calls as a test puts them there, and a list of what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from callback_scheduler.order import Order
from config.settings import Settings
from ivr.operations_errors import OperationRefused
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site, load_site

CONFIG = Path(__file__).parents[2] / "config" / "hotline.yaml"
MORNING = datetime(2026, 3, 10, 9, 5, tzinfo=SHANGHAI)
Listener = Callable[[str, dict[str, Any]], None]


@cache
def sample_site() -> Site:
    """Return the sample's site, read once: nobody changes it."""
    return load_site(CONFIG)


class FakeOperations:
    """The sample's site at a fixed moment; every act is noted in `acts` as (verb, arguments).

    Reads that a page needs are put into `orders_there`, `events_there`, `calls_there`, `status_now`, `answers`; an
    act named in `refusals` is refused with that text.
    """

    def __init__(self, at: datetime = MORNING) -> None:
        self.site = sample_site()
        self.clock = MovableClock(at, monotonic=lambda: 0.0)
        self.acts: list[tuple[str, tuple[Any, ...]]] = []
        self.refusals: dict[str, str] = {}
        self.orders_there: dict[str, Order] = {}
        self.events_there: dict[str, list[dict[str, Any]]] = {}
        self.calls_there: list[dict[str, Any]] = []
        self.recordings_there: dict[str, Path] = {}
        self.status_now: dict[str, Any] = {"calls": [], "seats": [], "lines": {}, "trunks": [], "queue": []}
        self.answers: dict[str, Any] = {}  # what any other question is answered with
        self._listeners: list[Listener] = []

    # -- what it knows --------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def settings(self) -> Settings:
        return self.site.settings

    @property
    def directory(self) -> Any:
        return self.site.directory

    @property
    def calendar(self) -> Any:
        return self.site.calendar

    @property
    def hours(self) -> Any:
        return self.site.hours

    def status(self) -> dict[str, Any]:
        return self.status_now

    async def order(self, order_id: str) -> Order | None:
        return self.orders_there.get(order_id)

    async def orders(self, asked: Any = None) -> list[Order]:
        return list(self.orders_there.values())

    async def order_events(self, order_id: str) -> list[dict[str, Any]]:
        return self.events_there.get(order_id, [])

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        return [call for call in self.calls_there if order_id in call.get("order_ids", ())]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        return next((call for call in self.calls_there if call["call_id"] == call_id), None)

    async def calls(self, limit: int = 100) -> list[dict[str, Any]]:
        return self.calls_there[:limit]

    def recording(self, path: str) -> Path:
        if path not in self.recordings_there:
            raise OperationRefused("没有这段录音。", "recording.gone")
        return self.recordings_there[path]

    # -- what happens ---------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def tell(self, kind: str, **fields: Any) -> None:
        """Let something happen."""
        for listener in list(self._listeners):
            listener(kind, fields)

    # -- what it is asked to do -----------------------------------------------------------------------------------

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """Note any other act of the contract, and answer with `answers[verb]`."""
        if verb.startswith("_"):
            raise AttributeError(verb)

        def ask(*arguments: Any, **named: Any) -> Any:
            if verb in self.refusals:
                raise OperationRefused(self.refusals[verb], verb)
            self.acts.append((verb, (*arguments, *named.values())))
            return self._answered(verb)

        return ask

    def _answered(self, verb: str) -> Any:
        answer = self.answers.get(verb)
        if verb.startswith(("preview_", "list_", "prompt_wav", "seat_call", "seats")):
            return answer  # these are no coroutines

        async def later() -> Any:
            return answer

        return later()
