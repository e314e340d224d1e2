"""The rooms of the console: each module registers its routes when it is imported; a new room is added to ROOMS."""

from __future__ import annotations

from console.api import rooms as api_rooms
from console.pages import (
    accounts,
    admin,
    admin_calendar,
    admin_directory,
    admin_hours,
    admin_hours_edit,
    admin_prompts,
    admin_trial,
    api_tokens,
    audit_log,
    calls,
    compliance,
    home,
    login,
    me,
    month,
    order,
    order_acts,
    orders,
    recordings,
    seat,
    unit,
    unit_people,
    wall,
    welcome,
)

ROOMS = (
    home, login, welcome, me, accounts, audit_log, compliance, orders, order, order_acts, recordings, calls, month,
    wall, seat,
    unit, unit_people, admin, admin_calendar, admin_hours, admin_hours_edit, admin_directory, admin_prompts,
    admin_trial, api_tokens, api_rooms,
)  # fmt: skip
