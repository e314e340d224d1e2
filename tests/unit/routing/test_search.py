"""The seat's search over matters, units and people: Chinese, pinyin, initials, numbers and codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from routing.directory import load_directory
from routing.search import DirectorySearch, Found, FoundKind

FOLDER = Path(config.__file__).parent
SEARCH = DirectorySearch(load_directory(FOLDER / "units.yaml", FOLDER / "matters.yaml"))


def names(words: str, limit: int = 20) -> list[str]:
    return [found.name for found in SEARCH.find(words, limit)]


def best(words: str) -> Found:
    return SEARCH.find(words)[0]


@pytest.mark.parametrize(
    "words", ["市场", "shichang", "shich", "scjg", "区市场监管局", "qscjgj", "工商局", "gsj", "GSJ"]
)
def test_a_unit_is_found_by_name_alias_pinyin_and_initials(words: str) -> None:
    units = [found.key for found in SEARCH.find(words) if found.kind is FoundKind.UNIT]
    assert units[0] == "market"


@pytest.mark.parametrize("words", ["纳税", "nashui", "ns", "nsfw", "nashuifw", "税务 纳税", "ns yi"])
def test_a_person_is_found_by_the_same_ways_also_with_the_name_of_his_unit(words: str) -> None:
    assert "6111" in [found.key for found in SEARCH.find(words) if found.kind is FoundKind.PERSON]


@pytest.mark.parametrize(("words", "matter"), [
    ("营业执照", "company_registration"), ("qydj", "company_registration"), ("fapiao", "tax"), ("luohu", "talent"),
    ("消防", "fire_inspection"), ("11", "company_registration"), ("ywtb", "one_thing"),
])  # fmt: skip
def test_a_matter_is_found_by_name_alias_and_code(words: str, matter: str) -> None:
    assert matter in [found.key for found in SEARCH.find(words) if found.kind is FoundKind.MATTER]


def test_a_number_finds_its_person_first_and_its_beginning_all_of_them() -> None:
    assert (best("6111").key, best("6111").name, best("6111").unit) == ("6111", "纳税服务一", "区税务局")
    assert {found.key for found in SEARCH.find("611") if found.kind is FoundKind.PERSON} == {"6111", "6112", "6113"}


def test_a_whole_name_comes_before_its_beginning_and_that_before_a_part() -> None:
    assert best("税务办理").key == "tax"
    assert names("消防")[0] == "消防安全检查"
    shui = SEARCH.find("shui")
    assert shui.index(best("shuiwubanli")) < next(place for place, found in enumerate(shui) if found.name == "区税务局")


def test_people_who_are_found_by_their_unit_alone_come_last() -> None:
    kinds = [found.kind for found in SEARCH.find("税务")]
    assert kinds.index(FoundKind.UNIT) < kinds.index(FoundKind.PERSON)


def test_a_matter_that_belongs_elsewhere_is_found_and_says_so() -> None:
    found = best("法律咨询")
    assert (found.belongs_elsewhere, found.unit) == (True, "公共法律服务热线")


@pytest.mark.parametrize("words", ["hichang", "xyzq", "999", "市 不存在", "", "   ", "(", "*"])
def test_what_fits_nothing_finds_nothing(words: str) -> None:
    assert SEARCH.find(words) == []


def test_no_more_is_returned_than_a_page_shows() -> None:
    assert len(SEARCH.find("s", limit=5)) == 5


@given(st.text(max_size=40))
def test_whatever_is_typed_the_search_answers(words: str) -> None:
    assert len(SEARCH.find(words)) <= 20


def test_a_person_is_found_by_any_form_and_part_of_their_number(tmp_path: Path) -> None:
    units = (FOLDER / "units.yaml").read_text(encoding="utf-8").replace("number: 6111}", 'number: "13800138000"}')
    (tmp_path / "units.yaml").write_text(units, encoding="utf-8")
    search = DirectorySearch(load_directory(tmp_path / "units.yaml", FOLDER / "matters.yaml"))
    for words in ("13800138000", "+86 138 0013 8000", "+8613800138000", "8000", "138-0013", "１３８００１３８０００"):
        assert [found.number for found in search.find(words)] == ["13800138000"], words
