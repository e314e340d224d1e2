"""An unexpected error is logged in bounded length, at once, without the value of any variable."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest
import structlog

from node.error_texts import LONGEST, cut, error_text


def _fails_with(wrong: Exception) -> str:
    number = "13800001234"
    try:
        assert number
        raise wrong
    except type(wrong) as error:
        return error_text(error)


def _deeper(depth: int) -> None:
    _deeper(depth + 1)


def test_an_error_names_its_place_its_kind_and_what_it_came_of_but_no_value() -> None:
    try:
        try:
            _fails_with(ValueError("inner"))
            dict[str, str]()["key"]
        except KeyError as inner:
            raise RuntimeError("outer") from inner
    except RuntimeError as outer:
        told = error_text(outer)
    assert "KeyError: 'key'" in told
    assert told.endswith("RuntimeError: outer")
    assert "test_error_texts.py" in told
    assert "13800001234" not in _fails_with(ValueError("inner")), "of the variables it says nothing"
    assert error_text(None) == ""


def test_an_error_with_a_message_of_a_megabyte_is_cut_and_takes_no_time() -> None:
    begun = perf_counter()
    told = _fails_with(ValueError("x" * 1_000_000))
    assert perf_counter() - begun < 0.2
    assert len(told) <= LONGEST
    assert "ValueError: xxx" in told


def test_an_error_out_of_a_deep_stack_is_told_by_its_innermost_frames() -> None:
    with pytest.raises(RecursionError) as caught:
        _deeper(0)
    assert len(error_text(caught.value)) <= LONGEST
    assert "RecursionError" in error_text(caught.value)


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert cut("a" * 100, 100) == "a" * 100
    told = cut("begin" + "x" * 1000 + "end", 100)
    assert told.startswith("begin")
    assert told.endswith("end")
    assert "908 characters" in told


# -- the log of the service -------------------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the service would write to standard error."""
    from node import serve  # noqa: PLC0415  # it installs the reactor

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = structlog.get_config()
    serve._configure_log()
    yield stream
    structlog.configure(**before)


def entries(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_the_log_obeys_nothing_in_a_text_of_others_and_says_it_all_the_same(written: io.StringIO) -> None:
    said = "\x1b[2J\x9b31m\u202e注销\x7f\ud800"
    structlog.get_logger().info("note_added", text=said)
    line = written.getvalue()
    assert line.isprintable() or line.rstrip("\n").isprintable()
    assert entries(written)[0]["text"] == said


def test_the_log_has_an_exception_once_in_bounded_length_without_locals(written: io.StringIO) -> None:
    secret = "of a caller"
    try:
        raise ValueError("x" * 1_000_000)
    except ValueError as wrong:
        structlog.get_logger().exception("sweep_failed")
        structlog.get_logger().error("job_failed", exc_info=wrong, body="y" * 1_000_000)
    first, second = entries(written)
    assert first["exception"] == second["exception"]
    assert len(written.getvalue()) < 5 * LONGEST
    assert secret not in written.getvalue()
