"""What callers and units typed is printed so that no terminal, spreadsheet or reader obeys it."""

from __future__ import annotations

import json
import sys

import pytest

import hotline
from node.control_client import ControlError
from routing.visible import visible, visible_line

OBEYED = "\x1b[2J\x07\x9b31m\u202e\u2066\u200b\ufeff\u2028\U000e0041\x7f\ud800"


def test_what_a_terminal_obeys_is_written_out_and_text_stays() -> None:
    shown = visible(f"退单：{OBEYED}\n第二行\t“是”")
    written = r"\u001b[2J\u0007\u009b31m\u202e\u2066\u200b\ufeff\u2028\udb40\udc41\u007f\ud800"
    assert shown.startswith(f"退单：{written}\n")
    assert shown.endswith("\n第二行\t“是”")
    assert shown.encode()


def test_a_part_of_a_line_makes_no_line_of_its_own() -> None:
    assert visible_line("a\r\n26021410001  closed\tb") == "a\\u000d\\u000a26021410001  closed\\u0009b"


def test_json_means_the_same_when_it_was_made_visible() -> None:
    assert json.loads(visible(json.dumps({"text": OBEYED}, ensure_ascii=False))) == {"text": OBEYED}


def test_no_command_prints_what_a_terminal_obeys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def says(options: object) -> int:
        print(OBEYED)
        print(OBEYED, file=sys.stderr)
        return 0

    monkeypatch.setattr(hotline, "_orders", says)
    assert hotline.main(["orders"]) == 0
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert text == f"{visible(OBEYED)}\n"


def test_what_a_command_fails_with_is_printed_visibly_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(options: object) -> int:
        raise ControlError(OBEYED)

    monkeypatch.setattr(hotline, "_calls", fails)
    assert hotline.main(["calls"]) == 2
    assert capsys.readouterr().err == f"{visible(OBEYED)}\n"
