"""Reads what a sorted set of the store leads to a slice of time after another, so that nobody waits for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from callback_scheduler.store.connection import Connection

TimeSlice = tuple[str, str]  # from and to, as ZRANGEBYSCORE takes them
_ABOUT = 2000  # orders or calls in a slice


class TimeSlices:
    """TimeSlices of the sorted sets of `connection`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def cut(self, name: str, first: str, last: str) -> list[TimeSlice]:
        """Cut a period by the times of a sorted set into slices of about `_ABOUT`, earliest first.

        Cut by time, nothing that is added meanwhile moves anything else from one slice to another.
        """
        key = self._connection.key(name)
        before = self._connection.ask(lambda redis: redis.zcount(key, "-inf", f"({first}"))
        count = self._connection.ask(lambda redis: redis.zcount(key, first, last))
        pipeline = self._connection.redis.pipeline(transaction=False)
        for rank in range(before + _ABOUT, before + count, _ABOUT):  # a rank is found at once, an offset by counting
            pipeline.zrange(key, rank, rank, withscores=True)
        edges = sorted({int(entry[0][1]) for entry in self._connection.execute(pipeline) if entry})
        return list(zip([first, *map(str, edges)], [*(f"({edge}" for edge in edges), last], strict=True))

    def read(self, script: str, *arguments: str, over: Iterable[TimeSlice]) -> Iterator[Any]:
        """Yield what `script` answers for each slice; Redis is at the next one while its reader has one in hand."""
        client = self._connection.ask(lambda redis: redis.client())
        waiting = 0
        try:
            for time_slice in over:
                command = ("EVAL", script, 0, self._connection.prefix, *arguments, *time_slice)
                self._connection.ask(partial(_send, client, command))
                waiting += 1
                if waiting == 2:
                    yield self._connection.ask(lambda _: client.connection.read_response())
                    waiting -= 1
            if waiting:
                yield self._connection.ask(lambda _: client.connection.read_response())
                waiting -= 1
        finally:
            if waiting:  # an answer nobody has read must not be taken for another
                client.connection.disconnect()
            client.close()


def _send(client: Any, command: tuple[Any, ...], _: Any) -> None:
    client.connection.send_command(*command)
