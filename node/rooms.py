"""The rooms of a node that its operations work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.timetable import Timetable
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.services import CallServices
from ivr.dispatch.incoming import Desk
from ivr.dispatch.outgoing import Callbacks
from ivr.door.door import Door
from ivr.pool.pool import LinePool
from node.operations.happenings import HappeningsFeed
from routing.clock import Clock
from routing.site import Site


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What a node is built of; `promises` are the orders as calls open them, `lines` None while there are none.

    `site` is what the node was started with, without what was changed at run time: that is in `office`.
    """

    site: Site
    reactor: Any  # an IReactorTime, and callFromThread
    clock: Clock
    data_dir: Path
    services: CallServices
    office: Office
    ledger: Ledger
    promises: Orders
    desk: Desk
    callbacks: Callbacks
    timetable: Timetable
    ports: Ports
    notices: Notices
    door: Door
    lines: Callable[[], LinePool | None]
    feed: HappeningsFeed
