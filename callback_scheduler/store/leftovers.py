"""What Redis holds beyond the orders and records that are known, and must not: found, deleted, and off its disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from operator import methodcaller
from typing import Any

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.store.connection import Connection, milliseconds
from callback_scheduler.store.early import EarlyEvents

# sorted sets of order numbers, named by a phone number
_BY_PHONE = ("of_phone", "open", "open_by_phone")
_FORM = re.compile(r"\d+:")
_AT_ONCE = 500


class Leftovers:
    """The leftovers behind `prefix`, whatever the form of the store; methods block, for seconds if there is much."""

    def __init__(self, connection: Connection, prefix: str, early: EarlyEvents) -> None:
        self._connection, self._prefix, self._early = connection, prefix, early

    def drop(self, before: datetime) -> None:
        """Delete what leads to no order, what waits for none since `before`, and what an older version wrote.

        Raises StoreUnavailable.
        """
        self._drop_older_forms()
        self._early.drop(milliseconds(before))
        for kind in _BY_PHONE:
            for names in self._names(self._connection.key(kind, "*")):
                self._drop_unknown(names)

    def _drop_older_forms(self) -> None:
        """An older version's keys are read by nobody: its store was built anew in another form."""
        ours = int(self._connection.prefix[len(self._prefix) :].rstrip(":"))
        for names in self._names(f"{self._prefix}[0-9]*"):
            forms = ((name, _FORM.match(name, len(self._prefix))) for name in names)
            old = [name for name, form in forms if form is not None and int(form[0][:-1]) < ours]
            if old:
                self._connection.ask(methodcaller("unlink", *old))

    def _drop_unknown(self, names: list[str]) -> None:
        """Take out of these sets the orders that are not known; a set that is empty is gone."""
        members = self._pipelined("zrange", [(name, 0, -1) for name in names])
        pairs = [(name, number) for name, numbers in zip(names, members, strict=True) for number in numbers]
        known = self._pipelined("zscore", [(self._connection.key("orders"), number) for _, number in pairs])
        self._pipelined("zrem", [pair for pair, score in zip(pairs, known, strict=True) if score is None])

    def _pipelined(self, command: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        pipeline = self._connection.redis.pipeline(transaction=False)
        for one in arguments:
            getattr(pipeline, command)(*one)
        return self._connection.execute(pipeline) if arguments else []

    def _names(self, pattern: str) -> Iterator[list[str]]:
        found = self._connection.redis.scan_iter(match=pattern, count=1000)
        while names := self._connection.ask(lambda _: list(islice(found, _AT_ONCE))):
            yield names

    def is_writing_file(self) -> bool:
        """Whether Redis is about to write its append-only file anew."""
        found = self._persistence()
        return bool(found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"])

    def check_file(self) -> None:
        """Raise StoreUnavailable if Redis could not write its file anew, when it tried last."""
        if self._persistence()["aof_last_bgrewrite_status"] != "ok":
            raise StoreUnavailable("Redis could not write its file anew: what was forgotten is still in the old one")

    def _persistence(self) -> dict[str, Any]:
        found: dict[str, Any] = self._connection.ask(lambda redis: redis.info("persistence"))
        return found

    def write_file_anew(self) -> None:
        """Let Redis begin to write its append-only file without what was deleted; the old one goes at the end."""
        self._connection.ask(lambda redis: redis.bgrewriteaof())
