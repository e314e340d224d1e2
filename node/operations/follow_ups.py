"""What enterprises were not content with, until a supervisor has seen to it: bad ratings and matters not solved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from ivr.refused import Reason
from routing.clock import Clock

_LOOKED_BACK = timedelta(days=90)
_LONGEST_TEXT = 4000


class FollowUpRefusal(Reason):
    """Why a rating cannot be seen to; the value of each is the key of `OperationRefused`."""

    UNKNOWN = "follow_up.unknown", "没有这条待跟进的评价。"
    NO_TEXT = "order.no_text", "请填写内容。"
    NOT_STORED = "follow_up.not_stored", "处理结果没有保存，请稍后再试。"


class FollowUps:
    """Lists the ratings that somebody must see to, whatever call they ended, and keeps what was done about each."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    async def waiting(self) -> list[dict[str, Any]]:
        """Return what nobody has seen to yet, newest first; StoreUnavailable while Redis is away.

        survey_id, at (aware), level (0: none given), is_solved, call_id, order_id ("" if it followed no callback),
        unit_id, matter_id, and call, the record of the call (None if it is not kept).
        """
        bad = await self._ledger.bad_surveys(self._clock.now() - _LOOKED_BACK)
        records = await self._ledger.calls_named([one["call_id"] for one in bad])
        calls = {record["call_id"]: record for record in records}
        return [one | {"call": calls.get(one["call_id"])} for one in bad]

    async def settle(self, survey_id: str, why: str, who: Actor) -> None:
        """Note what was done about a rating: it is on disk on return, and waits no longer."""
        why = why.strip()[:_LONGEST_TEXT]
        if not why:
            raise FollowUpRefusal.NO_TEXT.error()
        if all(one["survey_id"] != survey_id for one in await self.waiting()):
            raise FollowUpRefusal.UNKNOWN.error()
        told = {"survey_id": survey_id, "who": str(who), "why": why}
        try:
            await self._ledger.write("survey_followed_up", told, self._clock.now())
        except SchedulerError as wrong:
            raise FollowUpRefusal.NOT_STORED.error() from wrong


