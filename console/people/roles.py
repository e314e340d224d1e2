"""The roles of the console's users."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """Who somebody is; every route names the roles it serves."""

    SUPERVISOR = "supervisor"  # 督办: sees all orders, rings, re-assigns, reminds
    SEAT = "seat"  # 坐席: sees calls, and the orders of the caller in hand
    UNIT = "unit"  # 承办单位: sees its own unit's orders only
    ADMIN = "admin"  # 管理员: calendar, hours, directory, prompts, accounts


ALL_ROLES = tuple(Role)
