"""Numbers, times and lengths of time as callers hear them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.speech import spoken, spoken_english

SHANGHAI = timezone(timedelta(hours=8))
DUE = datetime(2026, 2, 24, 10, 0, tzinfo=SHANGHAI)


def test_the_hotline_is_said_digit_by_digit_with_yao_for_one() -> None:
    assert spoken.digits("12345") == "幺二三四五"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("13800138000", "幺三八，零零幺三，八零零零"),
        ("+8613800138000", "幺三八，零零幺三，八零零零"),
        ("02152550000", "零二幺，五二五五，零零零零"),
        ("05718765432", "零五七幺，八七六，五四三二"),
        ("sip:13800138000@203.0.113.7:5060", "幺三八，零零幺三，八零零零"),
        ("12345", "幺二三四五"),
        ("sip:anonymous@anonymous.invalid", "未知号码"),
    ],
)
def test_a_phone_number_is_said_in_the_groups_people_use(number: str, said: str) -> None:
    assert spoken.phone(number) == said


def test_an_order_number_is_said_in_groups_of_at_most_four() -> None:
    assert spoken.order_number("26021410007") == "二六零二，幺四幺零，零零七"


@given(st.text("0123456789", min_size=1, max_size=20))
def test_grouping_loses_no_digit_and_leaves_none_alone(number: str) -> None:
    groups = spoken.fours(number)
    assert "".join(groups) == number
    assert all(2 <= len(group) <= 4 for group in groups) or len(number) == 1


def test_a_deadline_is_said_with_day_weekday_and_part_of_the_day() -> None:
    assert spoken.before(DUE) == "2月24日星期二上午10点前"


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [(0, 5, "凌晨0点05分"), (8, 45, "上午8点45分"), (12, 30, "中午12点半"), (14, 0, "下午2点"), (21, 0, "晚上9点")],
)
def test_hours_are_said_on_the_twelve_hour_clock(hour: int, minute: int, said: str) -> None:
    assert spoken.moment(DUE.replace(hour=hour, minute=minute)).removeprefix("2月24日星期二") == said


@pytest.mark.parametrize(
    ("length", "said"), [(120, "2分钟"), (90, "1分30秒"), (3600, "1小时"), (timedelta(seconds=10), "10秒"), (0, "0秒")]
)
def test_a_length_of_time_is_said_in_its_largest_units(length: float | timedelta, said: str) -> None:
    assert spoken.duration(length) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2月24日星期二下午2点05分", "二月二十四日星期二下午两点零五分"),
        ("最长2分钟，120秒", "最长两分钟，一百二十秒"),
        ("12345企业专席", "幺二三四五企业专席"),
        ("按1，按0", "按一，按零"),
        ("1005和2010和10", "一千零五和两千零一十和十"),
    ],
)
def test_numerals_are_said_as_numbers_and_long_ones_digit_by_digit(text: str, said: str) -> None:
    assert spoken.numerals(text) == said


@given(st.integers(0, 9999))
def test_a_cardinal_reads_back_to_the_same_number(number: int) -> None:
    worth = {"千": 1000, "百": 100, "十": 10}
    figures = {name: value for value, name in enumerate("零一二三四五六七八九")} | {"两": 2}
    total, last = 0, None
    for letter in spoken.cardinal(number):
        if letter in worth:
            total, last = total + (1 if last is None else last) * worth[letter], None
        else:
            last = figures[letter]
    assert total + (last or 0) == number


def test_a_number_beyond_four_digits_is_no_cardinal_here() -> None:
    with pytest.raises(ValueError, match="10000"):
        spoken.cardinal(10000)


def test_english_says_the_same_things_in_its_own_words() -> None:
    assert spoken_english.phone("13800138000") == "1 3 8, 0 0 1 3, 8 0 0 0"
    assert spoken_english.order_number("26021410007") == "2 6 0 2, 1 4 1 0, 0 0 7"
    assert spoken_english.before(DUE) == "before 10 a.m. on Tuesday, 24 February"
    assert spoken_english.moment(DUE.replace(hour=0, minute=5)).startswith("12:05 a.m.")
    assert spoken_english.duration(3690) == "1 hour 1 minute 30 seconds"
    assert spoken_english.numerals("12345 line, 2 minutes") == "1 2 3 4 5 line, 2 minutes"
    assert spoken_english.phone("") == "unknown number"
