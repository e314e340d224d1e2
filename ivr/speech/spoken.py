"""How numbers, times and lengths of time are said in Chinese; pure functions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from routing.phone_numbers import stored

_PHONE_DIGITS = str.maketrans("0123456789", "零幺二三四五六七八九")  # 幺, not 一: 一 and 七 sound alike on the phone
_DIGITS = "零一二三四五六七八九"
_WEEKDAYS = "一二三四五六日"
_PERIODS = ((5, "凌晨"), (8, "早上"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上"))
_NUMERAL = re.compile(r"\d+")
_COUNTED = ("点", "分钟", "个", "次", "位", "小时", "天", "秒", "条", "遍", "名")  # before these, 2 is 两
UNKNOWN_NUMBER = "未知号码"


def digits(number: str) -> str:
    """Return each digit as it is said on the phone: "12345" -> "幺二三四五". Anything else is left out."""
    return re.sub(r"\D", "", number).translate(_PHONE_DIGITS)


def phone(number: str) -> str:
    """Return a telephone number in spoken groups: "13800138000" -> "幺三八，零零幺三，八零零零".

    A leading +86 or 0086 is not said. Of a SIP address the user part counts; without any digit it is 未知号码.
    """
    whole = stored(number)
    if whole is not None and whole.extension:
        return f"{phone(whole.national)}，转，{digits(whole.extension)}"
    groups = phone_groups(number)
    return "，".join(digits(group) for group in groups) or UNKNOWN_NUMBER


def order_number(order_id: str) -> str:
    """Return an order number in spoken groups of up to four digits."""
    return "，".join(digits(group) for group in fours(re.sub(r"\D", "", order_id)))


def moment(at: datetime) -> str:
    """Return day and time of `at`, in its own zone: "2月24日星期二上午10点". The year is not said."""
    period = next(name for until, name in _PERIODS if at.hour < until)
    hour = at.hour - 12 if at.hour > 12 else at.hour
    minutes = "" if at.minute == 0 else "半" if at.minute == 30 else f"{at.minute:02}分"
    return f"{at.month}月{at.day}日星期{_WEEKDAYS[at.weekday()]}{period}{hour}点{minutes}"


def before(at: datetime) -> str:
    """Return `at` as a deadline: "2月24日星期二上午10点前"."""
    return f"{moment(at)}前"


def duration(length: timedelta | float) -> str:
    """Return a length of time, seconds if a number, rounded to whole seconds: 120 -> "2分钟", 90 -> "1分30秒"."""
    seconds = round(length.total_seconds() if isinstance(length, timedelta) else length)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = (f"{hours}小时" if hours else "", f"{minutes}分" if minutes else "", f"{rest}秒" if rest else "")
    said = "".join(parts) or "0秒"
    return said + "钟" if said.endswith("分") else said


def numerals(text: str) -> str:
    """Return `text` with its Arabic numerals as they are said: five digits or more one by one, fewer as a number."""
    return _NUMERAL.sub(lambda match: _numeral(match.group(), text[match.end() :]), text)


def phone_groups(number: str) -> list[str]:
    """Return a number's digits in the groups people say: 3-4-4 for a mobile, area code first for a landline."""
    user = re.sub(r"^sips?:", "", number, flags=re.IGNORECASE).split("@", maxsplit=1)[0]
    plain = re.sub(r"\D", "", re.sub(r"^\s*(\+|00)86", "", user))
    if re.fullmatch(r"1\d{10}", plain):
        return [plain[:3], plain[3:7], plain[7:]]
    if plain.startswith("0") and len(plain) >= 10:
        area = 3 if plain[1] in "12" else 4
        return [plain[:area], *fours(plain[area:])]
    return [plain] if len(plain) == 5 else fours(plain)


def fours(plain: str) -> list[str]:
    """Return digits in groups of four, from the left, with no group of one at the end."""
    if len(plain) == 7:
        return [plain[:3], plain[3:]]
    groups = [plain[start : start + 4] for start in range(0, len(plain), 4)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2][:3], groups[-2][3:] + groups[-1]]
    return groups


def _numeral(written: str, following: str) -> str:
    if len(written) >= 5:
        return digits(written)
    if len(written) > 1 and written.startswith("0"):
        return "".join(_DIGITS[int(digit)] for digit in written)
    if written == "2" and following.startswith(_COUNTED):
        return "两"
    return cardinal(int(written))


def cardinal(number: int) -> str:
    """Return 0 to 9999 as a number: 10 -> "十", 105 -> "一百零五", 2000 -> "两千"."""
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is not within 0 to 9999")
    if number < 10:
        return _DIGITS[number]
    said, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit == 0:
            gap = gap or bool(said)
            continue
        said += ("零" if gap else "") + ("两" if digit == 2 and unit == 1000 else _DIGITS[digit]) + name
        gap = False
    return said[1:] if said.startswith("一十") else said
