"""When somebody must see to what an enterprise said of a service (差评, 未解决)."""

from __future__ import annotations

_BAD = (1, 2)  # 差评: 不满意 and 非常不满意 (domain.md)


def is_bad(level: int, is_solved: bool | None) -> bool:
    """Whether a rating (1 to 5, 0 if none was given) is 不满意 or worse, or the matter is said to be not solved."""
    return is_solved is False or level in _BAD
