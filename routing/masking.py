"""Phone numbers in what people typed: found however they are written, and masked where numbers are masked."""

from __future__ import annotations

import re
from collections.abc import Callable

from routing.phone_numbers import masked

# between the digits of a number people write a blank, a hyphen or a dot, narrow or wide
_SIGN = r"[\s.\-\u2010-\u2015\uff0d\uff0e\u00b7]"
_FORMS = (
    rf"(?:(?:[+\uff0b]|00)?86{_SIGN}?)?1{_SIGN}?[3-9](?:{_SIGN}?\d){{9}}"  # a mobile number
    rf"|(?:[+\uff0b]|00)86{_SIGN}?(?:\d{_SIGN}?){{9,11}}\d"  # with the code of the country: any number
    rf"|[(\uff08]?0\d{{2,3}}[)\uff09]?{_SIGN}?[2-8]\d{{2,3}}{_SIGN}?\d{{4}}(?:{_SIGN}\d{{1,5}}(?!\d))?"  # a landline
    rf"|[48]00{_SIGN}?\d{{3,4}}{_SIGN}?\d{{3,4}}"
)
# never a part of an id: call-13800000000 is one, 电话-13800000000 is not
_BEGIN, _END = r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_]-)", r"(?![0-9A-Za-z_])"
_NUMBER = re.compile(f"{_BEGIN}(?:{_FORMS}){_END}")
# Digits that may be a phone number all the same; eleven and more that begin with 2 are the number of an order.
_NUMBER_OR_DIGITS = re.compile(rf"{_BEGIN}(?:{_FORMS}|(?!2\d{{10,}})\+?\d{{7,15}}){_END}")


def masked_text(text: str) -> str:
    """Return what somebody typed, with every phone number in it masked, and all digits that may be one."""
    return _NUMBER_OR_DIGITS.sub(lambda found: masked(_digits(found[0])), text)


def with_numbers(text: str, shown: Callable[[str], str]) -> str:
    """Return a text with each phone number in it as `shown` gives it; digits that are no number's form stay."""
    return _NUMBER.sub(lambda found: shown(_digits(found[0])), text)


def _digits(written: str) -> str:
    """Return a number without the signs between its digits."""
    return "".join(sign for sign in written if sign.isdigit() or sign in "+\uff0b")
