"""One Redis as all parts of the store see it: its keys behind a prefix, its errors as ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from callback_scheduler.errors import StoreUnavailable

_T = TypeVar("_T")


class Connection:
    """The Redis of `redis` with the keys behind `prefix`; what is asked of it blocks."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.redis: Any = client  # its annotations name sync and async answers at once
        self.prefix = prefix

    def key(self, *parts: str) -> str:
        """Return a key of ours."""
        return self.prefix + ":".join(parts)

    def ask(self, question: Callable[[Any], _T]) -> _T:
        """Return what Redis answers to `question`; StoreUnavailable if it does not, or cannot write."""
        try:
            return question(self.redis)
        except ResponseError as refused:
            raise StoreUnavailable(f"Redis refuses: {refused}") from refused
        except (RedisError, OSError) as away:
            raise StoreUnavailable(f"Redis does not answer: {away}") from away

    def execute(self, pipeline: Any) -> list[Any]:
        """Return the answers to all questions of a pipeline of `redis`; StoreUnavailable as above."""
        answers: list[Any] = self.ask(lambda _: pipeline.execute())
        return answers

    def close(self) -> None:
        """Close all connections."""
        self.redis.close()


def client_of(url: str, timeout_s: float) -> redis.Redis:
    """Return a client of the Redis at `url` (redis://, rediss:// or unix://); it connects when first used."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # The applier tries again by itself, and nobody else may be kept waiting.
        retry=Retry(NoBackoff(), 0),
    )


def milliseconds(at: datetime) -> int:
    """Return an instant as the scores of sorted sets have it: milliseconds since the epoch."""
    return round(at.timestamp() * 1000)
