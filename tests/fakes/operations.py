"""Operations without a node: orders and calls as a test puts them there, and a list of what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from callback_scheduler.orders.order import Order
from config.hours_file import hours_text
from config.settings import Settings
from ivr.refused import OperationRefused
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site, load_site

CONFIG = Path(__file__).parents[2] / "config" / "hotline.yaml"
MORNING = datetime(2026, 3, 10, 9, 5, tzinfo=SHANGHAI)
Listener = Callable[[str, dict[str, Any]], None]


@cache
def sample_site() -> Site:
    """Return the sample's site, read once: nobody changes it."""
    return load_site(CONFIG)


class FakePart:
    """One part of the operations (`orders`, `calls`, `site`, `online`): whatever it is asked to do is noted.

    A verb is answered with `answers["<part>.<verb>"]` (an exception is raised), and noted as that with its arguments,
    the named ones behind the others. Verbs in `SYNCHRONOUS` are no coroutines, as those of the real operations.
    """

    SYNCHRONOUS = frozenset({
        "seats", "running_calls", "call_in_hand", "live_call", "search", "directory_text", "hours_text", "last_check",
        "list_prompts", "prompt_wav",
    })  # fmt: skip

    def __init__(self, name: str, whole: FakeOperations) -> None:
        self._name, self._whole = name, whole

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb.startswith("_"):
            raise AttributeError(verb)

        def ask(*arguments: Any, **named: Any) -> Any:
            answer = self._whole.noted(f"{self._name}.{verb}", (*arguments, *named.values()))
            return answer if verb in self.SYNCHRONOUS else _later(answer)

        return ask


class FakeOrders(FakePart):
    """The orders of `orders_there`; acts are noted, and answered with the order as it is."""

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        ask = super().__getattr__(verb)

        async def act(order_id: str, *arguments: Any, **named: Any) -> Any:
            answer = await ask(order_id, *arguments, **named)
            return self._whole.orders_there.get(order_id) if answer is None else answer

        return act

    async def one(self, order_id: str) -> Order | None:
        return self._whole.orders_there.get(order_id)

    async def find(self, asked: Any) -> list[Order]:
        fitting = [order for order in self._whole.orders_there.values() if _fits(asked, order)]
        fitting.sort(key=lambda order: (order.opened_at, order.order_id), reverse=True)
        ids = [order.order_id for order in fitting]
        first = ids.index(asked.after) + 1 if asked.after in ids else 0
        return fitting[first : first + asked.limit]

    async def counts(self) -> dict[tuple[str, str], int]:
        return dict(Counter((order.unit_id, order.state.value) for order in self._whole.orders_there.values()))

    async def owed(self, limit: int = 1000) -> list[Order]:
        owed = [order for order in self._whole.orders_there.values() if order.state.is_open]
        return sorted(owed, key=lambda order: order.due_at)[:limit]

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        return [order for order in await self.owed(limit) if order.due_at <= at]

    async def named(self, order_ids: list[str]) -> list[Order]:
        return [self._whole.orders_there[one] for one in order_ids if one in self._whole.orders_there]

    async def events(self, order_id: str) -> list[dict[str, Any]]:
        return self._whole.events_there.get(order_id, [])


class FakeOperations:
    """The sample's site at a fixed moment; every act is noted in `acts` as ("orders.acknowledge", (order_id, who)).

    What pages read is put into `orders_there`, `events_there`, `calls_there`, `recordings_there`, `status_now`,
    `answers`. To refuse something: `answers["orders.close"] = OperationRefused("…", "key")`.
    """

    def __init__(self, at: datetime = MORNING) -> None:
        self.orders = FakeOrders("orders", self)
        self.calls = FakePart("calls", self)
        self.site = FakePart("site", self)
        self.online = FakePart("online", self)
        self.clock = MovableClock(at, monotonic=lambda: 0.0)
        self.acts: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Any] = {"calls.seats": [], "site.list_prompts": [], "site.directory_text": ""}
        self.answers["site.hours_text"] = hours_text(self.settings.hours)
        self.orders_there: dict[str, Order] = {}
        self.events_there: dict[str, list[dict[str, Any]]] = {}
        self.calls_there: list[dict[str, Any]] = []
        self.recordings_there: dict[str, Path] = {}
        self.status_now: dict[str, Any] = {
            "opening": {"is_open": True, "reason": "", "until": None}, "calls": [], "seats": [], "lines": {},
            "door": {}, "trunks": {}, "ledger": {}, "timetable": {}, "notices": [],
        }  # fmt: skip
        self._listeners: list[Listener] = []

    # -- what it knows --------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def settings(self) -> Settings:
        return sample_site().settings

    @property
    def directory(self) -> Any:
        return sample_site().directory

    @property
    def calendar(self) -> Any:
        return sample_site().calendar

    @property
    def hours(self) -> Any:
        return sample_site().hours

    def status(self) -> dict[str, Any]:
        return {"at": self.now().isoformat()} | self.status_now

    async def recent_calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        ids = [call["call_id"] for call in self.calls_there]
        first = ids.index(after) + 1 if after else 0
        return self.calls_there[first : first + limit]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        return next((call for call in self.calls_there if call["call_id"] == call_id), None)

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        return [call for call in self.calls_there if order_id in call.get("order_ids", ())]

    def recording(self, path: str) -> Path:
        if path not in self.recordings_there:
            raise OperationRefused("录音已不存在。", "recording.gone")
        return self.recordings_there[path]

    async def report(self, question: Any) -> Any:
        return self.noted("report", (question,))

    # -- what happens ---------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def tell(self, kind: str, **fields: Any) -> None:
        """Let something happen."""
        for listener in list(self._listeners):
            listener(kind, fields)

    def noted(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        """Note an act and return its answer; raise it if it is an exception."""
        answer = self.answers.get(verb)
        if isinstance(answer, Exception):
            raise answer
        self.acts.append((verb, arguments))
        return answer


def _fits(asked: Any, order: Order) -> bool:
    is_in_time = (asked.since is None or order.opened_at >= asked.since) and (
        asked.until is None or order.opened_at < asked.until
    )
    return asked.fits(order) and is_in_time and asked.phone in ("", order.callback_number, order.caller_number)


async def _later(answer: Any) -> Any:
    return answer
