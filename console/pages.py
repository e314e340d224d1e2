"""The rooms of the console: each module registers its routes when it is imported; a new room is added to ROOMS."""

from __future__ import annotations

from console.admin import accounts, api_tokens, audit_log
from console.admin import calendar as admin_calendar
from console.admin import directory as admin_directory
from console.admin import hours as admin_hours
from console.admin import hours_edit as admin_hours_edit
from console.admin import overview as admin
from console.admin import prompts as admin_prompts
from console.admin import trial as admin_trial
from console.api import rooms as api_rooms
from console.entry import home, login, me, welcome
from console.seat import page as seat
from console.supervisor import calls, compliance, month, order, order_acts, orders, recordings
from console.unit import inbox as unit
from console.unit import people as unit_people
from console.wall import page as wall

ROOMS = (
    home, login, welcome, me, accounts, audit_log, compliance, orders, order, order_acts, recordings, calls, month,
    wall, seat,
    unit, unit_people, admin, admin_calendar, admin_hours, admin_hours_edit, admin_directory, admin_prompts,
    admin_trial, api_tokens, api_rooms,
)  # fmt: skip
