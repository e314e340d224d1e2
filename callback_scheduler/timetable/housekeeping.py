"""Closes orders that a talk has settled, follows up bad ratings, and forgets what has been kept long enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path, PurePath

import structlog
from twisted.internet.threads import deferToThread

from callback_scheduler.errors import IllegalTransition, StaleOrder, UnknownOrder
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.ledger.retention import recordings_of
from callback_scheduler.orders.actor import TIMETABLE
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.rating import is_bad
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.timetable.ports import Notices
from config.keeping import KeepingSettings
from routing.clock import SHANGHAI

log = structlog.get_logger()

_CHANGED_MEANWHILE = (StaleOrder, IllegalTransition, UnknownOrder)
_EVER = datetime(1970, 1, 2, tzinfo=SHANGHAI)
# A node that was started with the wrong year must not delete on its word.
_LONGEST_SILENCE = timedelta(days=31)
# of what is forgotten all before this instant, but for what is sealed under these keys
ForgetToo = Callable[[datetime, frozenset[KeyName]], Awaitable[None]]


class Housekeeping:
    """May be run as often as one likes, on every node: each forgets its own files, and of one order the first is it.

    `recordings` is the node's folder of them, a folder for each day: YYYY/MM/DD. `forget_too` are the rooms that know
    something of callers beside the ledger: they are told before when all is forgotten, and what is kept of that.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: KeepingSettings,
        notices: Notices,
        recordings: Path,
        forget_too: Sequence[ForgetToo] = (),
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._notices = notices
        self._recordings = recordings
        self._forget_too = forget_too
        self._forgot_on: date | None = None

    async def run(self, at: datetime) -> None:
        """Close what may be closed at `at`, and once a day forget; raises SchedulerError, or OSError for a file."""
        for order in await self._ledger.orders.reached_orders():
            try:
                await self._see_to(order, at)
            except _CHANGED_MEANWHILE as changed:
                log.info("order_changed_meanwhile", order_id=order.order_id, error=str(changed))
        local = at.astimezone(SHANGHAI)
        is_time = local.time() >= self._settings.sweep_at or self._ledger.was_restored
        if is_time and self._forgot_on != local.date():
            await self._forget(at)
            self._forgot_on = local.date()

    async def _see_to(self, order: Order, at: datetime) -> None:
        if has_bad_rating(order):
            await self._follow_up(order, at)
            return
        why = why_closed(order, at, self._settings.close_after_days)
        if why:
            await self._ledger.orders.change_order(order.order_id, OrderEvent.CLOSED, who=TIMETABLE, why=why, at=at)

    async def _follow_up(self, order: Order, at: datetime) -> None:
        """Tell supervisors and the unit of a bad rating, once for each talk; what then is theirs to say."""
        step = f"bad_rating@{order.attempts[-1].attempt_id if order.attempts else order.order_id}"
        if step in order.steps_done:
            return
        why = "企业评价：未解决" if order.is_solved is False else "企业评价：不满意"
        await self._notices.tell("bad_rating", order, {"key": f"{order.order_id}/{step}", "cause": why}, at)
        changes = {"steps_done": [step]}
        await self._ledger.orders.note_order(
            order.order_id, "step_done", who=TIMETABLE, why=why, changes=changes, at=at
        )  # fmt: skip

    async def _forget(self, at: datetime) -> None:
        newest = await self._ledger.orders.latest(1)
        # what comes from a backup is old by right
        if newest and not self._ledger.was_restored and at - newest[0].opened_at > _LONGEST_SILENCE:
            log.warning("nothing_forgotten", newest_order=newest[0].opened_at.isoformat(), at=at.isoformat())
            return
        before = at - timedelta(days=self._settings.keep_days)
        archive = self._settings.archive_dir
        orders = files = 0
        while True:
            gone = await self._ledger.forget(before, at, archive)
            orders, files = orders + len(gone.orders), files + len(gone.files)
            if not gone.orders and gone.kept is not None:
                break
        kept = {
            path for order in await self._ledger.orders.all_orders(_EVER, gone.before) for path in recordings_of(order)
        }
        recordings = await deferToThread(remove_recordings, self._recordings, gone.before, kept)
        for forget in self._forget_too:
            await forget(gone.before, gone.kept)
        log.info("forgotten", before=before.isoformat(), orders=orders, journal_files=files, recordings=recordings)


def has_bad_rating(order: Order) -> bool:
    """Whether the enterprise said that its matter is not solved, or rated the service 不满意 or worse."""
    return is_bad(order.survey_level, order.is_solved)


def why_closed(order: Order, at: datetime, after_days: int) -> str:
    """Return why an order that has been reached is closed at `at`, in Chinese; "" if it is not yet."""
    if order.is_solved is True:
        return "企业按键确认：已解决"
    ended_at = max((attempt.ended_at for attempt in order.attempts if attempt.ended_at is not None), default=None)
    settled_at = ended_at or order.reached_at
    if settled_at is not None and at - settled_at >= timedelta(days=after_days):
        return f"接通后{after_days}天内企业未提出异议"
    return ""


def remove_recordings(folder: Path, before: datetime, kept: Collection[str]) -> int:
    """Delete what lies in the folders of days before that of `before` but for `kept`, and return how much. Blocks.

    Also what a line left there half made. A path in `kept` counts from the day on: data may have moved since. What
    does not lie in a folder of a day is nobody's and stays.
    """
    last = f"{before.astimezone(SHANGHAI):%Y/%m/%d}"
    names = {PurePath(path).parts[-4:] for path in kept}
    days = [day for day in folder.glob("[0-9]*/[0-9]*/[0-9]*") if day.relative_to(folder).as_posix() < last]
    old = [
        path for day in days for path in day.iterdir()
        if path.is_file() and path.relative_to(folder).parts not in names
    ]  # fmt: skip
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
