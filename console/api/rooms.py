"""The rooms of the API: each registers its routes when it is imported."""

from __future__ import annotations

from console.api import calls, health, metrics, online, openapi, order_acts, orders, reports

ROOMS = (orders, order_acts, calls, reports, online, openapi, metrics, health)
