"""Everything routing can refuse; faults of configuration files are `config.errors.ConfigError`."""

from __future__ import annotations


class RoutingError(LookupError):
    """Routing was asked about something it does not know."""


class UnknownMatter(RoutingError):
    """No matter of this id is configured."""


class UnknownUnit(RoutingError):
    """No unit of this id is configured."""


class UnknownSeat(RoutingError):
    """No seat of this id is configured."""
