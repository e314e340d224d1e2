"""Reads what a sorted set of the store leads to a stretch of time after another, so that nobody waits for long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

Stretch = tuple[str, str]  # from and to, as ZRANGEBYSCORE takes them
_ABOUT = 2000  # orders or calls in a stretch


class Stretches:
    """Stretches of the sorted sets behind `prefix` in the Redis of `client`; `ask` turns its errors into ours."""

    def __init__(self, client: Any, prefix: str, ask: Callable[[Callable[[], Any]], Any]) -> None:
        self._redis = client
        self._prefix = prefix
        self._ask = ask

    def cut(self, name: str, first: str, last: str) -> list[Stretch]:
        """Cut a period by the times of a sorted set into stretches of about `_ABOUT`, earliest first.

        Cut by time, nothing that is added meanwhile moves anything else from one stretch to another.
        """
        key = self._prefix + name
        before = self._ask(lambda: self._redis.zcount(key, "-inf", f"({first}"))
        count = self._ask(lambda: self._redis.zcount(key, first, last))
        pipeline = self._redis.pipeline(transaction=False)
        for rank in range(before + _ABOUT, before + count, _ABOUT):  # a rank is found at once, an offset by counting
            pipeline.zrange(key, rank, rank, withscores=True)
        edges = sorted({int(entry[0][1]) for entry in self._ask(pipeline.execute) if entry})
        return list(zip([first, *map(str, edges)], [*(f"({edge}" for edge in edges), last], strict=True))

    def read(self, script: str, *arguments: str, over: Iterable[Stretch]) -> Iterator[Any]:
        """Yield what `script` answers for each stretch; Redis is at the next one while its reader has one in hand."""
        client = self._ask(self._redis.client)
        waiting = 0
        try:
            for stretch in over:
                command = ("EVAL", script, 0, self._prefix, *arguments, *stretch)
                self._ask(partial(client.connection.send_command, *command))
                waiting += 1
                if waiting == 2:
                    yield self._ask(client.connection.read_response)
                    waiting -= 1
            if waiting:
                yield self._ask(client.connection.read_response)
                waiting -= 1
        finally:
            if waiting:  # an answer nobody has read must not be taken for another
                client.connection.disconnect()
            client.close()
