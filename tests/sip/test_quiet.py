"""Who listens and who works hard wait for each other, over all processes of a test session."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.leftovers import SESSION
from tests.sip.processes import dying_with_us

ROOT = Path(__file__).resolve().parents[2]
_WAITS_S = 0.5


class Other:
    """Another process of a session, which holds the machine in some way until it is let go."""

    def __init__(self, session: Path, how: str, first: str) -> None:
        code = (
            "from tests.sip.quiet import *\nprint('on', flush=True)\n"
            f"with {how}:\n    {first}\n    print('in', flush=True)\n    input()"
        )
        self._process = subprocess.Popen(
            dying_with_us([sys.executable, "-c", code]), cwd=ROOT, env={**os.environ, SESSION: str(session)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"on\n"

    def has_it(self, within_s: float = 10.0) -> bool:
        """Tell whether it holds the machine, or comes to within so many seconds."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            return False
        return self._process.stdout.readline() == b"in\n"

    def let_go(self) -> None:
        self._process.communicate(b"\n", timeout=30)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., Other]]:
    with ExitStack() as running:

        def start(how: str, first: str = "pass") -> Other:
            made = Other(tmp_path, how, first)
            running.callback(made.kill)
            return made

        yield start


def test_many_listen_at_once_and_who_works_hard_waits_for_all_of_them(other: Callable[..., Other]) -> None:
    first, second = other("listening()"), other("listening()")
    assert first.has_it()
    assert second.has_it()
    hard = other("working_hard()")
    assert not hard.has_it(_WAITS_S)
    first.let_go()
    assert not hard.has_it(_WAITS_S)
    second.let_go()
    assert hard.has_it()


def test_nobody_listens_or_works_hard_beside_one_who_works_hard(other: Callable[..., Other]) -> None:
    hard = other("working_hard()")
    assert hard.has_it()
    listener, another = other("listening()"), other("working_hard()")
    assert not listener.has_it(_WAITS_S)
    assert not another.has_it(_WAITS_S)
    hard.kill()  # also when it is killed
    assert listener.has_it() or another.has_it()


def test_who_waits_to_work_hard_is_not_overtaken_by_new_listeners(other: Callable[..., Other]) -> None:
    first = other("listening()")
    assert first.has_it()
    hard = other("working_hard()")
    assert not hard.has_it(_WAITS_S)
    late = other("listening()")
    assert not late.has_it(_WAITS_S)
    first.let_go()
    assert hard.has_it()
    assert not late.has_it(_WAITS_S)
    hard.let_go()
    assert late.has_it()


def test_who_listens_and_starts_a_service_waits_for_other_listeners_and_listens_again(
    other: Callable[..., Other]
) -> None:
    first = other("listening()")
    assert first.has_it()
    nested = other("listening(), working_hard()")
    assert not nested.has_it(_WAITS_S)
    first.let_go()
    assert nested.has_it()


def test_what_is_begun_within_hard_work_does_not_end_it(other: Callable[..., Other]) -> None:
    hard = other("working_hard()", first="with working_hard(), listening(): pass")
    assert hard.has_it()
    assert not other("listening()").has_it(_WAITS_S)
