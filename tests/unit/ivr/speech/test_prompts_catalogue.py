"""The catalogue of texts: what is wrong in it is named with file, line and key."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import config
from config.errors import ConfigError
from ivr.speech.prompt_catalogue import Catalogue, load_catalogue
from ivr.speech.prompt_list import Prompt

PROMPTS = Path(config.__file__).parent / "prompts"
DUE = datetime(2026, 2, 24, 10, 0, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture(scope="module", params=["zh", "en"])
def shipped(request: pytest.FixtureRequest) -> Catalogue:
    return load_catalogue(PROMPTS, request.param)


@pytest.fixture
def chinese() -> Catalogue:
    return load_catalogue(PROMPTS, "zh")


def changed(folder: Path, old: str, new: str) -> list[str]:
    """Return the faults of the shipped Chinese catalogue with one place changed."""
    text = (PROMPTS / "zh.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / "zh.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        load_catalogue(folder, "zh")
    return [str(fault).removeprefix(f"{folder}/") for fault in wrong.value.faults]


def line_of(text: str) -> int:
    lines = (PROMPTS / "zh.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_every_prompt_has_its_text_in_both_languages(shipped: Catalogue) -> None:
    values = {"matters": ["A", "B"], "number": "12345", "order_id": "26021410007", "due": DUE}
    values |= dict.fromkeys(("matter", "unit", "name", "state"), "X")
    for prompt in Prompt:
        if not prompt.is_tone:
            assert shipped.text(prompt, values)
            assert bool(shipped.plain(prompt)) == bool(prompt.takes)


def test_keys_of_prompts_are_their_names() -> None:
    assert [prompt.value for prompt in Prompt] == [prompt.name.lower() for prompt in Prompt]


def test_a_missing_prompt_is_named_with_file_line_and_key(tmp_path: Path) -> None:
    faults = changed(tmp_path, "  survey_thanks: ", "  survey_tanks: ")
    assert faults == [
        f"zh.yaml:{line_of('prompts:')}: prompts.survey_thanks: is missing",
        f"zh.yaml:{line_of('survey_thanks')}: prompts.survey_tanks: there is no such prompt",
    ]


def test_a_missing_and_an_unknown_placeholder_are_named(tmp_path: Path) -> None:
    at = line_of("  number_kept:")
    assert changed(tmp_path, "我们将回拨{number}。", "我们将回拨{phone}。") == [
        f"zh.yaml:{at}: prompts.number_kept: has {{phone}}, which this prompt does not take",
        f"zh.yaml:{at}: prompts.number_kept: lacks {{number}}",
    ]


def test_braces_that_do_not_match_are_named(tmp_path: Path) -> None:
    (fault,) = changed(tmp_path, "我们将回拨{number}。", "我们将回拨{number。")
    assert fault.startswith(f"zh.yaml:{line_of('  number_kept:')}: prompts.number_kept: braces do not match")


def test_a_text_with_values_needs_a_plain_one_beside_it(tmp_path: Path) -> None:
    (fault,) = changed(tmp_path, "    plain: 我们将回拨您的来电号码。\n", "")
    assert "prompts.number_kept: has placeholders and needs a `plain` text" in fault


def test_an_empty_text_is_a_fault(tmp_path: Path) -> None:
    (fault,) = changed(tmp_path, "  held: 请您稍候，通话保持中。", "  held:")
    assert fault == f"zh.yaml:{line_of('  held:')}: prompts.held: has no text"


def test_a_menu_choice_without_its_key_is_a_fault(tmp_path: Path) -> None:
    (fault,) = changed(tmp_path, '"{matter}请按{key}，"', '"{matter}，"')
    assert fault == f"zh.yaml:{line_of('menu_choice:')}: menu_choice: lacks {{key}}"


@pytest.mark.parametrize(
    ("matters", "text"),
    [
        (["企业登记", "税务办理"], "企业登记请按1，税务办理请按2，人工服务请按0。"),
        (["税务办理"], "税务办理请按1，人工服务请按0。"),
        ([], "人工服务请按0。"),
    ],
)
def test_a_menu_has_as_many_choices_as_there_are_matters(chinese: Catalogue, matters: list[str], text: str) -> None:
    assert chinese.text(Prompt.MENU, {"matters": matters}) == text


def test_an_order_is_told_with_its_number_and_deadline(chinese: Catalogue) -> None:
    text = chinese.text(Prompt.ORDER_OPENED, {"order_id": "26021410007", "due": DUE})
    assert "二六零二，幺四幺零，零零七" in text
    assert "2月24日星期二上午10点前" in text


def test_a_missing_value_is_told_by_name_and_a_spare_one_left_alone(chinese: Catalogue) -> None:
    with pytest.raises(TypeError, match="needs due"):
        chinese.text(Prompt.ORDER_OPENED, {"order_id": "1"})
    assert chinese.text(Prompt.NOT_UNDERSTOOD, {"matters": ["A"]}) == chinese.text(Prompt.NOT_UNDERSTOOD, {})


def test_one_text_is_no_list_of_matters(chinese: Catalogue) -> None:
    with pytest.raises(TypeError, match="sequence of names"):
        chinese.text(Prompt.MENU, {"matters": "税务"})


def test_a_value_with_braces_in_it_is_said_as_it_is(chinese: Catalogue) -> None:
    assert "{x}" in chinese.text(Prompt.CONNECTING_SPECIALIST, {"matter": "{x}"})


def test_the_voice_is_given_readings_and_numerals_in_words(chinese: Catalogue) -> None:
    assert chinese.as_said("重听请按2，12345") == "虫听请按二，幺二三四五"
