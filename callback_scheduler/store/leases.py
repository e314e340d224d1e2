"""Leases of orders: who may work on one for a while, by the clock of Redis."""

from __future__ import annotations

from pathlib import Path

from callback_scheduler.orders.order import Lease
from callback_scheduler.store.connection import Connection

_LEASE_SCRIPT = Path(__file__).with_name("lease.lua").read_text(encoding="utf-8")


class Leases:
    """Takes, renews and releases leases, each in one step of Redis."""

    def __init__(self, connection: Connection) -> None:
        self._ask, self._prefix = connection.ask, connection.prefix

    def take(self, order_id: str, ttl_s: float) -> Lease | None:
        """Take the lease of an order for `ttl_s`; None while somebody holds it."""
        epoch = self._lease("take", order_id, 0, ttl_s)
        return Lease(order_id, epoch, ttl_s) if epoch else None

    def renew(self, lease: Lease) -> bool:
        """Hold a lease for its `ttl_s` from now on; False if it is over."""
        return self._lease("renew", lease.order_id, lease.epoch, lease.ttl_s) > 0

    def release(self, lease: Lease) -> bool:
        """Give a lease back; False if it was over."""
        return self._lease("release", lease.order_id, lease.epoch, lease.ttl_s) > 0

    def _lease(self, verb: str, order_id: str, epoch: int, ttl_s: float) -> int:
        arguments = (self._prefix, verb, order_id, epoch, round(ttl_s * 1000))
        return int(self._ask(lambda redis: redis.eval(_LEASE_SCRIPT, 0, *arguments)))
