"""hotline check: what is configured in figures, every prompt in a line, and 1 while one is not as it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import config
import hotline
from ivr.speech import check_command
from ivr.speech.prompt_report import PromptRow
from ivr.speech.prompts import Prompt
from routing.site import Site, load_site

GOOD = PromptRow("greeting", "您好，欢迎致电", 2.5, -18.0, -3.0, "synthesised", ())
LONG = PromptRow("menu", "请选择", 99.0, -18.0, -3.0, "menu.wav", ("too long: 99.0 s, at most 20 s", "clipped"))


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[PromptRow]:
    """The prompts as the voice would have made them."""
    rows = [GOOD]
    monkeypatch.setattr(check_command, "prompt_rows", lambda site: rows)
    return rows


def test_a_site_whose_prompts_are_all_good_is_told_in_figures(
    site: Site, rows: list[PromptRow], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_command.run(site, as_json=False) == 0
    said = capsys.readouterr().out
    assert f"units: {len(site.directory.units)}" in said
    assert f"seats: {len(site.directory.seats)}" in said
    assert f"calendar: {site.calendar.version}" in said
    assert f"workdays known until: {site.calendar.covers_until}" in said
    assert "prompts flagged: 0" in said
    assert not [line for line in said.splitlines() if line.startswith("!")]


def test_a_prompt_that_is_not_as_it_should_be_is_marked_and_the_command_fails(
    site: Site, rows: list[PromptRow], capsys: pytest.CaptureFixture[str]
) -> None:
    rows.append(LONG)
    assert check_command.run(site, as_json=False) == 1
    said = capsys.readouterr().out
    (marked,) = [line for line in said.splitlines() if line.startswith("!")]
    assert "menu.wav" in marked
    assert "too long: 99.0 s, at most 20 s — clipped" in marked
    assert "prompts flagged: 1" in said


def test_json_has_the_same_figures_and_every_row(
    site: Site, rows: list[PromptRow], capsys: pytest.CaptureFixture[str]
) -> None:
    rows.append(LONG)
    assert check_command.run(site, as_json=True) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["prompts"], facts["prompts_flagged"]) == (2, 1)
    assert facts["workdays_known_until"] == site.calendar.covers_until.isoformat()
    assert facts["rows"][1]["flags"] == list(LONG.flags)


def test_the_sample_is_checked_with_the_real_voice(tmp_path: Path) -> None:
    command = [sys.executable, hotline.__file__, "check", "--json", "--data-dir", str(tmp_path / "var")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    facts = json.loads(checked.stdout)
    assert (checked.returncode, facts["prompts_flagged"]) == (0, 0)
    assert {row["key"] for row in facts["rows"]} == {prompt.value for prompt in Prompt}
    assert all(row["seconds"] > 0 for row in facts["rows"])
