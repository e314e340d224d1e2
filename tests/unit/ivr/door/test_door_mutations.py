"""Mutated messages through a door without sockets: nobody is left without an answer, and nothing raises."""

from __future__ import annotations

import random

import pytest

from tests.fakes.door import invite
from tests.fuzz.in_process import run
from tests.fuzz.mutator import is_answerable_invite, mutated


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_mutated_invite_is_answered_or_is_plain_for_its_line(seed: int) -> None:
    outcome = run(2000, seed)
    assert outcome.silent == []
    assert outcome.unplain == []
    assert outcome.raised == 0
    assert outcome.invites > 1000
    assert outcome.served > 500


def test_the_same_seed_makes_the_same_messages() -> None:
    one, other = random.Random(7), random.Random(7)
    assert [mutated(one, invite()) for _ in range(200)] == [mutated(other, invite()) for _ in range(200)]


def test_an_invite_whose_via_or_start_is_broken_can_be_told_nothing() -> None:
    good = invite()
    assert is_answerable_invite(good, good)
    assert is_answerable_invite(good, good.replace(b"From: <", b"From: \xff<"))
    assert not is_answerable_invite(good, good.replace(b"INVITE sip:", b"INVITEsip:", 1))
    assert not is_answerable_invite(good, good.replace(b"z9hG4bKa1", b"z9hG4bKa2"))
    assert not is_answerable_invite(good, good[:30])
