"""The lines as the rest of the node sees them: given out from the moment the service is up until it is told to stop."""

from __future__ import annotations

from ivr.pool.pool import LinePool, LineSlot


class NodeLines:
    """The pool, which starts before anybody may be let in, and ends after everybody has been told to leave."""

    def __init__(self, pool: LinePool) -> None:
        self._pool = pool
        self._is_open = self._was_closed = self._is_draining = False

    def open(self) -> None:
        """Give out lines from now on."""
        self._is_open = not self._was_closed

    def close(self) -> None:
        """Give out none any more; conversations go on until the pool stops."""
        self._is_open, self._was_closed = False, True

    def drain(self) -> None:
        """Begin no callback any more; whoever is in a conversation may still ring others."""
        self._is_draining = True

    def take(self, for_callback: bool = False) -> LineSlot | None:
        """Return a slot for a conversation; None while there is none."""
        is_given = self._is_open and not (for_callback and self._is_draining)
        return self._pool.take(for_callback) if is_given else None

    def free_for_callbacks(self) -> int:
        """Return how many callbacks may begin now."""
        return self._pool.free_for_callbacks() if self._is_open and not self._is_draining else 0

    @property
    def is_growing(self) -> bool:
        """Whether a line is on its way; while the service starts, all are."""
        return self._pool.is_growing if self._is_open else not self._was_closed

    def is_line(self, sip_port: int) -> bool:
        """Whether one of our lines listens at a loopback port: nobody else may call out through the door."""
        return self._is_open and self._pool.is_line(sip_port)

    def status(self) -> dict[str, int] | None:
        """Return the figures of the pool; None while it is not open."""
        return self._pool.status() if self._is_open else None
