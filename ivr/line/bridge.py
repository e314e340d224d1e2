"""The patch board of a line: which sound goes to whom, kept as a wish and connected as soon as both ends exist."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

# Ports and owners are named ("leg", 3), ("play", 7), ("recording", 2), ("bridge", 1).
Name = tuple[str, int]
Pair = tuple[Name, Name]
_NOWHERE: Name = ("nowhere", 0)


class PatchBoard:
    """Wanted connections by owner, and the ports there are; `made` is what the conference has been told.

    Conference changes are asynchronous since pjproject 2.15, and a port that is removed loses its connections with
    it. So a port that goes is forgotten, never disconnected (removing, then disconnecting a slot: pjproject #4719);
    and one that comes back after a re-INVITE is simply connected again, which the conference takes as often as told.

    A leg nobody listens to is connected to the null sound device: the conference takes no frames from a port without
    listeners, so its jitter buffer would fill up, and be heard as half a second of delay when it is bridged later.
    """

    def __init__(self, null_device: Any) -> None:
        self._ports: dict[Name, Any] = {_NOWHERE: null_device}
        self._wanted: dict[Hashable, frozenset[Pair]] = {}
        self._muted: set[Name] = set()
        self.made: set[Pair] = set()

    def plug(self, name: Name, media: Any) -> None:
        """A port has come up, or has been made anew."""
        self.forget(name)
        self._ports[name] = media
        self.connect()

    def forget(self, name: Name) -> None:
        """A port is gone, with its connections; what is wanted of it stays wanted."""
        self._ports.pop(name, None)
        self.made = {pair for pair in self.made if name not in pair}

    def want(self, owner: Hashable, pairs: Iterable[Pair]) -> None:
        """From now on `owner` wants exactly these connections (source, listener)."""
        wanted = frozenset(pairs)
        if wanted:
            self._wanted[owner] = wanted
        else:
            self._wanted.pop(owner, None)
        self.connect()

    def mute(self, leg: Name, muted: bool) -> None:
        """Keep what a leg says from the other legs; its recordings are not touched."""
        (self._muted.add if muted else self._muted.discard)(leg)
        self.connect()

    def connect(self) -> None:
        """Bring the conference to what is wanted, as far as the ports exist."""
        target = {
            (source, listener)
            for pairs in self._wanted.values()
            for source, listener in pairs
            if source in self._ports
            and listener in self._ports
            and not (source in self._muted and listener[0] == "leg")
        }
        heard = {source for source, _listener in target}
        target |= {(name, _NOWHERE) for name in self._ports if name[0] == "leg" and name not in heard}
        for source, listener in self.made - target:
            self.made.discard((source, listener))
            self._ports[source].stopTransmit(self._ports[listener])
        for source, listener in target - self.made:
            self._ports[source].startTransmit(self._ports[listener])
            self.made.add((source, listener))


class Bridges:
    """Which legs are in which bridge, and which overhear one; a leg is in one at most."""

    def __init__(self, board: PatchBoard) -> None:
        self._board = board
        self._legs: dict[int, tuple[int, ...]] = {}
        self._overhearing: dict[int, tuple[frozenset[int], frozenset[int]]] = {}

    def set(self, bridge: int, legs: Iterable[int]) -> None:
        """Make `bridge` join exactly `legs`, and take them out of every other."""
        wanted = tuple(dict.fromkeys(legs))
        changed = {bridge: wanted}
        for other, members in self._legs.items():
            if other != bridge and set(members) & set(wanted):
                changed[other] = tuple(leg for leg in members if leg not in wanted)
        # out of the old bridges first: a leg that moves never hears both
        for number in sorted(changed, key=lambda number: number == bridge):
            self._apply(number, changed[number])

    def overhear(self, leg: int, hears: Iterable[int], heard_by: Iterable[int]) -> None:
        """Let a leg that is in no bridge hear some legs, and be heard by some."""
        heard, hearing = self._overhearing[leg] = frozenset(hears) - {leg}, frozenset(heard_by) - {leg}
        pairs = {(("leg", other), ("leg", leg)) for other in heard}
        self._board.want(("overhear", leg), pairs | {(("leg", leg), ("leg", other)) for other in hearing})

    def remove_leg(self, leg: int) -> None:
        """Take a leg that has gone out of its bridge, or from where it overheard one."""
        if self._overhearing.pop(leg, None) is not None:
            self._board.want(("overhear", leg), ())
        for other, (hears, heard_by) in list(self._overhearing.items()):
            if leg in hears | heard_by:
                self.overhear(other, hears - {leg}, heard_by - {leg})
        for number, members in list(self._legs.items()):
            if leg in members:
                self._apply(number, tuple(one for one in members if one != leg))

    def holds(self, leg: int) -> bool:
        """Tell whether the leg is in a bridge with somebody else, or overhears one."""
        return leg in self._overhearing or any(leg in members and len(members) > 1 for members in self._legs.values())

    def _apply(self, number: int, legs: tuple[int, ...]) -> None:
        if legs:
            self._legs[number] = legs
        else:
            self._legs.pop(number, None)
        pairs = {(("leg", a), ("leg", b)) for a in legs for b in legs if a != b}
        self._board.want(("bridge", number), pairs)
