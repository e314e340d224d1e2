"""The pools of one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.pool import Pool

Make = Callable[..., Pool]


@pytest.fixture
def make() -> Iterator[Make]:
    pools: list[Pool] = []

    def made(**changes: Any) -> Pool:
        pools.append(Pool(**changes))
        return pools[-1]

    yield made
    for pool in pools:
        pool.stop()
