"""What is said between node and line arrives as it was said; keys are told once; a wire that breaks is noticed."""

from __future__ import annotations

import dataclasses
import socket
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.line import messages as m
from ivr.line.keys import INFO, RFC4733, KeyFilter
from ivr.line.wire import Wire

KINDS = [
    kind for kind in vars(m).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in (m.Event, m.LineConfig)
]  # fmt: skip
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    # lone surrogates as well: so Python keeps bytes of the network that are no UTF-8
    str: st.text(st.characters(exclude_categories=())),
    tuple[str, ...]: st.lists(st.text()).map(tuple),
    tuple[int, ...]: st.lists(st.integers()).map(tuple),
    dict[str, str]: st.dictionaries(st.text(), st.text()),
    dict[int, int]: st.dictionaries(st.integers(), st.integers()),
    int | None: st.none() | st.integers(),
}


def any_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: VALUES[hints[field.name]] for field in dataclasses.fields(kind)})


@given(st.one_of([any_of(kind) for kind in KINDS]))
def test_every_message_arrives_as_it_was_sent_and_on_one_line(message: object) -> None:
    text = m.encode(message)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert m.decode(text) == message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"type": "Dance"}', b'{"type": "Answer"}', b"\xff\xfe"])
def test_what_is_no_message_is_called_so(text: bytes) -> None:
    with pytest.raises(m.MalformedMessage):
        m.decode(text)


def test_a_key_told_by_rfc4733_and_by_info_is_one_press() -> None:
    keys = KeyFilter()
    assert keys.is_new("5", RFC4733, 1.0)
    assert not keys.is_new("5", INFO, 1.2)


def test_the_same_key_pressed_twice_by_the_same_way_is_two_presses() -> None:
    keys = KeyFilter()
    assert keys.is_new("5", RFC4733, 1.0)
    assert keys.is_new("5", RFC4733, 1.1)


def test_a_phone_that_tells_both_ways_may_press_the_same_key_again_at_once() -> None:
    keys = KeyFilter()
    told = [keys.is_new("5", source, at) for source, at in [
        (INFO, 1.0), (RFC4733, 1.02), (INFO, 1.2), (RFC4733, 1.22), (RFC4733, 1.4), (INFO, 1.42),
    ]]  # fmt: skip
    assert told == [True, False, True, False, True, False]


def test_another_key_or_a_later_one_is_never_held_back() -> None:
    keys = KeyFilter()
    assert keys.is_new("5", RFC4733, 1.0)
    assert keys.is_new("6", INFO, 1.1)
    assert keys.is_new("5", INFO, 1.4)


@pytest.fixture
def wire_and_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)  # a socket's path may be 107 bytes long, pytest's folders are longer
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        server.listen(1)
        wire = Wire("s")
        node, _ = server.accept()
        with node:
            yield wire, node


def test_commands_cut_anywhere_are_put_together(wire_and_node: Any) -> None:
    wire, node = wire_and_node
    text = m.encode(m.Answer(leg=2)) + m.encode(m.Hangup(leg=4)) + b"noise\n" + m.encode(m.Quit())
    heard = []
    for at in range(len(text)):
        node.sendall(text[at : at + 1])
        heard += wire.commands()
    assert heard == [m.Answer(leg=2), m.Hangup(leg=4), m.Quit()]
    assert len(wire.malformed) == 1


def test_a_node_that_is_gone_closes_the_wire(wire_and_node: Any) -> None:
    wire, node = wire_and_node
    assert wire.commands() == []
    assert not wire.is_closed
    node.close()
    assert wire.commands() == []
    assert wire.is_closed


def test_a_node_that_never_reads_closes_the_wire_instead_of_filling_the_memory(wire_and_node: Any) -> None:
    wire, _node = wire_and_node
    sent = 0
    while not wire.is_closed:
        wire.send(m.LineFault(text="x" * 100_000))
        sent += 1
        assert sent < 200


def test_events_carry_both_clocks(wire_and_node: Any) -> None:
    wire, node = wire_and_node
    wire.send(m.LegRinging(leg=1, sip_status=180))
    event = m.decode(node.recv(1000))
    assert event.monotonic_s > 0
    assert event.wall_s > 1_600_000_000
