"""The rooms of the console: each module registers its routes when it is imported; a new room is added to ROOMS."""

from __future__ import annotations

from console.pages import accounts, audit_log, home, login, me, seat, wall, welcome

ROOMS = (home, login, welcome, me, accounts, audit_log, wall, seat)
