"""Holds the number of this node among those that share a Redis, so that no two give the same order numbers."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import structlog

from callback_scheduler.errors import NodeNumberTaken, StoreUnavailable
from callback_scheduler.store.node_claims import NodeClaims

log = structlog.get_logger()

_LEASE_S = 30.0
_RENEW_S = 10.0
_LOOK_S = 1.0


class NodeNumber:
    """The claim of one node, known by its journal, its machine and its folder: it has it again after a restart.

    Two nodes that run on copies of one journal are two all the same.
    """

    def __init__(self, claims: NodeClaims, number: int, data_dir: Path) -> None:
        self.held_by = ""  # another node that says this number is its own, "" as long as none does
        self._claims, self._number = claims, number
        self._place = f"{socket.gethostname()}:{data_dir.absolute()}"
        self._who = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="node-number", daemon=True)

    def start(self, journal_id: str) -> None:
        """Claim the number and go on renewing it; blocks for up to a lease while somebody else seems to have it.

        NodeNumberTaken if they have, and live: they say so again. A Redis that is away is asked later.
        """
        self._who = f"{journal_id} {self._place}"
        with suppress(StoreUnavailable):
            seen = held = self._claims.claim(self._number, self._who, _LEASE_S)
            while held and held == seen and not self._stopping.wait(_LOOK_S):
                # somebody who was killed says nothing more, and their claim runs out
                held = self._claims.claim(self._number, self._who, _LEASE_S)
            if held and not self._stopping.is_set():
                raise NodeNumberTaken(f"node_number {self._number} is in use: {_place_of(held)}")
        self._thread.start()

    def stop(self) -> None:
        """Give the number free."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            with suppress(StoreUnavailable):
                self._claims.let_go(self._number, self._who)

    def call_off(self) -> None:
        """Let a `start` that waits in another thread give up soon."""
        self._stopping.set()

    def _renew(self) -> None:
        while not self._stopping.wait(_RENEW_S):
            try:
                held = self._claims.claim(self._number, self._who, _LEASE_S)
            except StoreUnavailable:  # the applier says so; whoever comes first has the number then
                continue
            if held and not self.held_by:
                # orders are taken all the same: Redis gives a number that comes twice another ending
                log.error("node_number_taken", number=self._number, by=_place_of(held),
                          what_to_do=NodeNumberTaken.what_to_do)  # fmt: skip
            self.held_by = _place_of(held)


def _place_of(held: str) -> str:
    """Return where a node runs that holds a claim, as an operator finds it."""
    return held.partition(" ")[2].rpartition(" ")[0]
