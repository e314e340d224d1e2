"""Notices: everybody who must hear of an order's life hears of it, at least once, whatever breaks in between.

The journal is the outbox: what is told is what lies there already, so nothing has to be stored twice, and a receiver
that was away for a week is told what it missed. Each receiver has a courier of its own, and a cursor below
`data_dir/notices`. Events of one order arrive in their order; those of different orders do not wait for each other.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from callback_scheduler.errors import NoticeError, StoreUnavailable, UnknownNotice
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.city.endpoint import CityStatusServer
from callback_scheduler.notices.city.messages import CityMessages
from callback_scheduler.notices.city.reports import CityReports
from callback_scheduler.notices.courier import Courier, Receiver
from callback_scheduler.notices.mail import SUPERVISORS, Mail
from callback_scheduler.notices.outbox import Outbox
from callback_scheduler.notices.webhook import Webhook
from callback_scheduler.orders.order import Order
from config.notices import NoticeSettings
from routing.clock import Clock
from routing.directory import Directory

log = structlog.get_logger()

CITY = "city"
_NOTICES = uuid.UUID("3a1b1f0e-5f0c-4bd0-9d5e-12345b5a7f10")  # the namespace of ids made of keys
_THREADS = 4
_ALL = "all"
_RETRYING_S = 8.0  # the operator's socket waits for 10 s
_LOOK_S = 1.0  # Redis may come back without bringing anything new


class Notices:
    """All receivers of one node; `start` and `stop` may each be called once, while the ledger runs."""

    def __init__(
        self,
        ledger: Ledger,
        settings: NoticeSettings,
        folder: Path,
        *,
        directory: Directory,
        clock: Clock,
        reactor: Any,
        chance: random.Random | None = None,
    ) -> None:
        """`folder` takes the cursors. ConfigError if a secret that the settings name is not there."""
        self._ledger, self._settings, self._directory = ledger, settings, directory
        self._clock, self._reactor, self._folder = clock, reactor, folder
        self._threads = ThreadPool(minthreads=0, maxthreads=_THREADS, name="notices")
        courier = partial(
            Courier, feed=ledger.feed, reactor=reactor, in_thread=self._in_thread, retry=settings.retry,
            now=clock.now, chance=chance,
        )
        self._couriers = {
            receiver.name: courier(receiver, outbox=Outbox(folder / receiver.name)) for receiver in self._receivers()
        }
        self._looking = LoopingCall(self._wake)
        self._looking.clock = reactor
        self.city_status: CityStatusServer | None = None
        if settings.city_status:
            reports = CityReports(ledger.orders, directory, clock, self.tell)
            self.city_status = CityStatusServer(settings.city_status, reactor, reports.on_status)

    def _receivers(self) -> list[Receiver]:
        settings, now = self._settings, self._clock.now
        found: list[Receiver] = [
            Webhook(f"webhook_{webhook.name}", webhook, self._reactor, now) for webhook in settings.webhooks
        ]
        if settings.city_platform:
            messages = CityMessages(self._directory, settings.city_platform.phone_numbers)
            found.append(Webhook(CITY, settings.city_platform, self._reactor, now, messages.message))
        if settings.mail:
            mail = partial(
                Mail, settings=settings.mail, directory=self._directory, order=self._ledger.orders.order,
                in_thread=self._in_thread, now=now,
            )
            units, supervisors = settings.mail.units, {SUPERVISORS: settings.mail.supervisors}
            found.append(mail("mail_units", boxes=units, kinds=settings.mail.to_units))
            found.append(mail("mail_supervisors", boxes=supervisors, kinds=settings.mail.to_supervisors))
        return found

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on telling where it stopped; the ledger has started, and nobody has been let in yet."""
        self._threads.start()
        for courier in self._couriers.values():
            await courier.start()
        self._ledger.feed.follow(lambda: self._reactor.callFromThread(self._wake), lambda: self.position_needed)
        self._looking.start(_LOOK_S)
        if self.city_status:
            self.city_status.start()
        log.info("notices_started", receivers=list(self._couriers))

    async def stop(self) -> None:
        """Tell no more; what was not told will be told after the next start."""
        if not self._threads.started:
            return
        if self.city_status:
            await self.city_status.stop()
        if self._looking.running:
            self._looking.stop()
        for courier in self._couriers.values():
            await courier.stop()
        # In another thread: a mail server that does not answer may hold one of ours up to its timeout.
        await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._threads.stop)

    def _wake(self) -> None:
        for courier in self._couriers.values():
            courier.wake()

    # -- telling ------------------------------------------------------------------------------------------------------

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        """Put a notice about an order on its way: it is on disk on return, and will be sent at least once.

        `extra` goes with it, JSON values only. Its `key`, if there is one, names the notice, so that the same told
        twice, by a node that died in between, has one id. Its `unit_id` and `order_ids` make it one notice about
        several orders of a unit; its `cause` is told in words. Raises JournalFull or JournalWriteFailed.
        """
        payload = _about(order) | extra | {"kind": kind, "order_id": order.order_id}
        name = json.dumps([kind, extra.get("key"), extra.get("order_ids")])
        event_id = uuid.uuid5(_NOTICES, name).hex if extra.get("key") else ""
        await self._ledger.write("notice_given", payload, at, event_id)

    # -- what an operator asks ----------------------------------------------------------------------------------------

    @property
    def position_needed(self) -> int:
        """Position of the journal up to which every receiver has been told: what is behind it must be kept.

        A dead letter holds nothing back: it is listed, and retention may take what it told of.
        """
        return min((courier.position for courier in self._couriers.values()), default=self._ledger.feed.end)

    def status(self) -> list[dict[str, Any]]:
        """Return how far each receiver has been told."""
        return [courier.status() for courier in self._couriers.values()]

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return what receivers refused, oldest first."""
        found = [
            {"receiver": name, "event_id": letter.event_id, "event_type": letter.event_type,
             "order_id": letter.order_id, "reason": letter.reason, "died_at": letter.died_at}
            for name, courier in self._couriers.items() for letter in courier.dead
        ]
        return sorted(found, key=lambda letter: letter["died_at"])

    async def forget(self, before: datetime) -> None:
        """Drop the dead letters of before `before`: what they told of is forgotten. OSError if that is not on disk."""
        for courier in self._couriers.values():
            await courier.forget(before)

    async def retry(self, event_id: str) -> list[dict[str, str]]:
        """Send a dead letter again, to each receiver it is dead for, or "all"; return what came of each.

        An operator waits for it, so after some seconds the rest stays untried. UnknownNotice if there is none of this
        id.
        """
        chosen = [letter for letter in self.dead_letters() if event_id in (_ALL, letter["event_id"])]
        if not chosen and event_id != _ALL:
            raise UnknownNotice(f"no dead letter has the id {event_id}")
        until_s = self._reactor.seconds() + _RETRYING_S
        results = []
        for letter in chosen:
            outcome = await self._retried(letter, until_s - self._reactor.seconds())
            results.append({"receiver": letter["receiver"], "event_id": letter["event_id"], "outcome": outcome})
        return results

    async def _retried(self, letter: dict[str, Any], within_s: float) -> str:
        if within_s <= 0:
            return "not tried: ask again"
        try:
            trying = Deferred.fromCoroutine(self._couriers[letter["receiver"]].retry(letter["event_id"]))
            await trying.addTimeout(within_s, self._reactor)
        except TimeoutError:
            return "still dead: no answer"
        except (NoticeError, StoreUnavailable, OSError) as wrong:
            return f"still dead: {wrong}"
        return "delivered"

    def _in_thread(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._threads, work, *args)


def _about(order: Order) -> dict[str, Any]:
    """Return what a notice says of an order as it is now; instants in UTC, ISO 8601."""
    return {
        "unit_id": order.unit_id,
        "matter_id": order.matter_id,
        "company": order.company,
        "contact": order.contact,
        "callback_number": order.callback_number,
        "opened_at": order.opened_at.astimezone(timezone.utc).isoformat(),
        "due_at": order.due_at.astimezone(timezone.utc).isoformat(),
        "is_provisional": order.deadline.is_provisional,
        "state": order.state.value,
    }
