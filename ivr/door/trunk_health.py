"""Whether calls out through a trunk fail by its own fault, as the answers to them tell: then no person is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from config.settings import Trunk

_FAULTS_FOR_A_FAULT = 2  # one may be a caller's network; two in a row are the trunk
UNREACHABLE = 0  # in place of a status: it could not be sent to


@dataclass(slots=True)
class _Faults:
    in_a_row: int = 0
    last: int = 0
    since: float = 0.0


class TrunkHealth:
    """Counts faults in a row for each trunk: 5xx (RFC 3261 21.5) and calls that do not get there.

    Any other answer ends the row.

    `on_change` is called when a trunk becomes faulty, or is well again.
    """

    def __init__(self, trunks: Iterable[Trunk], seconds: Callable[[], float], on_change: Callable[[], None]) -> None:
        self._seconds, self._on_change = seconds, on_change
        self._names = {trunk.address[0]: trunk.name for trunk in trunks}
        self._faults: dict[str, _Faults] = {}

    def note(self, host: str, status: int) -> None:
        """Take note of an answer to an INVITE that went to `host`, or that it is UNREACHABLE."""
        name = self._names.get(host)
        if name is None or status == 100:  # the next hop alone says Trying
            return
        faults = self._faults.setdefault(name, _Faults())
        was_faulty = faults.in_a_row >= _FAULTS_FOR_A_FAULT
        if status == UNREACHABLE or 500 <= status < 600:
            faults.in_a_row += 1
            faults.last = status
            faults.since = faults.since if faults.in_a_row > 1 else self._seconds()
        else:
            self._faults[name] = faults = _Faults()
        if was_faulty is not (faults.in_a_row >= _FAULTS_FOR_A_FAULT):
            self._on_change()

    def of(self, name: str) -> dict[str, object]:
        """Return `{"state": "faulty", "status", "for_s"}` of a trunk at fault, else {}."""
        faults = self._faults.get(name)
        if faults is None or faults.in_a_row < _FAULTS_FOR_A_FAULT:
            return {}
        return {"state": "faulty", "status": faults.last, "for_s": round(self._seconds() - faults.since)}
