"""Texts of the console: the same in both languages, and none that a page asks for is missing."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from console import errors
from console.rendering.texts import LANGUAGES, Texts

CONSOLE = Path(__file__).parents[4] / "console"
TEXTS = Texts()
_ASKED = re.compile(r"""\bt\(\s*['"]([a-z0-9_.]+)['"]\s*[,)]""")
_KEYS = re.compile(r"""\b(?:key|nav)\s*=\s*['"]([a-z0-9_]+\.[a-z0-9_.]+)['"]""")


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    assert TEXTS.keys("zh") == TEXTS.keys("en")


@pytest.mark.parametrize("key", sorted(TEXTS.keys("zh")))
def test_a_text_takes_the_same_values_in_both_languages_and_is_not_empty(key: str) -> None:
    raw = [TEXTS._texts[language][key] for language in LANGUAGES]
    assert all(text.strip() for text in raw)
    assert len({frozenset(_values(text)) for text in raw}) == 1


def test_every_text_a_template_or_handler_asks_for_is_there() -> None:
    asked: dict[str, str] = {}
    for path in [*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        asked |= dict.fromkeys(_ASKED.findall(source) + _KEYS.findall(source), path.name)
    missing = {key: where for key, where in asked.items() if not TEXTS.has(key)}
    assert not missing
    assert len(asked) > 50


def test_every_refusal_has_words() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ConsoleError)]
    assert [kind.key for kind in kinds if not TEXTS.has(kind.key)] == []


def test_no_page_has_script_or_style_in_itself() -> None:
    for path in CONSOLE.rglob("*.html"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", source), path.name


def test_every_form_that_acts_has_the_token_of_its_session() -> None:
    for path in CONSOLE.rglob("*.html"):
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(encoding="utf-8"), re.S):
            assert "csrf" in form, f"{path.name}: {form[:80]}"
