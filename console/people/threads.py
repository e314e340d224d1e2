"""How the console does what blocks: in a thread of a pool, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
