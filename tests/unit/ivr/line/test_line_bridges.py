"""Who hears whom: bridges, mutes and re-INVITEs, seen from the conference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.line.bridge import Bridges, PatchBoard


class Port:
    """A port that remembers whom it talks to, and that fails when it is used after it went."""

    def __init__(self) -> None:
        self.listeners: set[Port] = set()
        self.is_gone = False

    def startTransmit(self, other: Port) -> None:
        assert not self.is_gone
        assert not other.is_gone
        self.listeners.add(other)

    def stopTransmit(self, other: Port) -> None:
        assert not self.is_gone
        assert not other.is_gone
        self.listeners.remove(other)


class House:
    """A patch board with legs on it."""

    def __init__(self, legs: tuple[int, ...] = ()) -> None:
        self.nowhere = Port()
        self.board = PatchBoard(self.nowhere)
        self.bridges = Bridges(self.board)
        self.ports: dict[int, Port] = {}
        for leg in legs:
            self.come_up(leg)

    def come_up(self, leg: int) -> None:
        if leg in self.ports:
            self._remove(leg)
        self.ports[leg] = Port()
        self.board.plug(("leg", leg), self.ports[leg])

    def go(self, leg: int) -> None:
        self._remove(leg)
        self.board.forget(("leg", leg))
        self.bridges.remove_leg(leg)

    def _remove(self, leg: int) -> None:
        gone = self.ports.pop(leg)
        gone.is_gone = True
        # the conference itself takes a port that goes out of all connections
        for port in self.ports.values():
            port.listeners.discard(gone)

    def hears(self, speaker: int) -> set[int]:
        return {leg for leg, port in self.ports.items() if port in self.ports[speaker].listeners}


def test_each_leg_of_a_bridge_hears_all_others_and_not_itself() -> None:
    house = House((1, 2, 3))
    house.bridges.set(1, (1, 2, 3))
    assert [house.hears(leg) for leg in (1, 2, 3)] == [{2, 3}, {1, 3}, {1, 2}]


def test_a_leg_named_in_another_bridge_leaves_the_one_it_was_in() -> None:
    house = House((1, 2, 3))
    house.bridges.set(1, (1, 2))
    house.bridges.set(2, (2, 3))
    assert [house.hears(leg) for leg in (1, 2, 3)] == [set(), {3}, {2}]


def test_a_bridge_without_legs_is_dissolved() -> None:
    house = House((1, 2))
    house.bridges.set(1, (1, 2))
    house.bridges.set(1, ())
    assert house.hears(1) == house.hears(2) == set()


def test_a_leg_without_sound_is_joined_when_its_sound_comes_up() -> None:
    house = House((1,))
    house.bridges.set(1, (1, 2))
    house.come_up(2)
    assert house.hears(1) == {2}
    assert house.hears(2) == {1}


def test_a_leg_whose_sound_is_made_anew_by_a_re_invite_is_joined_again_and_the_old_port_not_touched() -> None:
    house = House((1, 2, 3))
    house.bridges.set(1, (1, 2, 3))
    house.come_up(2)
    assert [house.hears(leg) for leg in (1, 2, 3)] == [{2, 3}, {1, 3}, {1, 2}]


def test_a_muted_leg_is_not_heard_but_hears() -> None:
    house = House((1, 2))
    house.bridges.set(1, (1, 2))
    house.board.mute(("leg", 1), True)
    assert house.hears(1) == set()
    assert house.hears(2) == {1}
    house.board.mute(("leg", 1), False)
    assert house.hears(1) == {2}


def test_a_mute_leaves_the_recording_of_the_leg_whole() -> None:
    house = House((1, 2))
    recorder = Port()
    house.board.plug(("recording", 1), recorder)
    house.board.want(("recording", 1), {(("leg", 1), ("recording", 1))})
    house.board.mute(("leg", 1), True)
    assert recorder in house.ports[1].listeners


def test_a_leg_that_overhears_a_bridge_is_heard_only_by_whom_it_shall_be() -> None:
    house = House((1, 2, 3, 4))
    house.bridges.set(1, (1, 2, 3))
    house.bridges.overhear(4, (1, 2, 3), ())
    assert [house.hears(leg) for leg in (1, 2, 3, 4)] == [{2, 3, 4}, {1, 3, 4}, {1, 2, 4}, set()]
    house.bridges.overhear(4, (1, 2, 3), (2,))
    assert house.hears(4) == {2}
    assert house.bridges.holds(4)


def test_a_leg_that_overheard_leaves_the_bridge_as_it_was() -> None:
    house = House((1, 2, 4))
    house.bridges.set(1, (1, 2))
    house.bridges.overhear(4, (1, 2), (1, 2))
    house.go(4)
    assert [house.hears(leg) for leg in (1, 2)] == [{2}, {1}]
    assert not house.bridges.holds(4)


def test_a_leg_that_is_overheard_and_goes_is_not_touched_again() -> None:
    house = House((1, 2, 4))
    house.bridges.set(1, (1, 2))
    house.bridges.overhear(4, (1, 2), (1,))
    house.go(1)
    house.bridges.overhear(4, (2,), ())
    assert house.hears(2) == {4}


def test_a_leg_nobody_hears_is_drained_so_that_it_is_not_late_when_it_is_bridged() -> None:
    house = House((1, 2))
    assert house.ports[1].listeners == {house.nowhere}
    house.bridges.set(1, (1, 2))
    assert house.ports[1].listeners == {house.ports[2]}
    house.go(2)
    assert house.ports[1].listeners == {house.nowhere}


ACTS = st.one_of(
    st.tuples(st.just("bridge"), st.integers(1, 3), st.lists(st.integers(1, 5), max_size=5)),
    st.tuples(st.just("up"), st.integers(1, 6), st.none()),
    st.tuples(st.just("gone"), st.integers(1, 6), st.none()),
    st.tuples(st.just("mute"), st.integers(1, 5), st.booleans()),
    st.tuples(st.just("overhear"), st.just(6), st.lists(st.integers(1, 5), max_size=5)),
)


@given(st.lists(ACTS, max_size=60))
def test_whatever_happens_the_conference_is_what_the_last_commands_say(acts: list[tuple[str, int, object]]) -> None:
    house, bridges, muted = House(), dict[int, list[int]](), set[int]()
    heard, hearing = set[int](), set[int]()  # by and from leg 6, which is in no bridge
    for act, number, more in acts:
        if act == "bridge":
            assert isinstance(more, list)
            house.bridges.set(number, more)
            bridges = {other: [leg for leg in legs if leg not in more] for other, legs in bridges.items()}
            bridges[number] = more
        elif act == "up":
            house.come_up(number)
        elif act == "gone" and number in house.ports:
            house.go(number)
            bridges = {other: [leg for leg in legs if leg != number] for other, legs in bridges.items()}
            heard, hearing = (set(), set()) if number == 6 else (heard - {number}, hearing - {number})
        elif act == "overhear":  # leg 6 hears these, and is heard by all but the first
            assert isinstance(more, list)
            house.bridges.overhear(6, more, more[1:])
            heard, hearing = set(more), set(more[1:])
        elif act == "mute":
            house.board.mute(("leg", number), bool(more))
            (muted.add if more else muted.discard)(number)
    for leg in house.ports:
        together = next((legs for legs in bridges.values() if leg in legs), [])
        overhearing = hearing if leg == 6 else {6} if leg in heard else set()
        expected = ({other for other in together if other != leg} | overhearing) & house.ports.keys()
        assert house.hears(leg) == (set() if leg in muted else expected)
