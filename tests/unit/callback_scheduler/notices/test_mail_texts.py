"""What a letter says of an order: one line, with the numbers that somebody typed as its receiver may see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callback_scheduler.notices.mail import Mail
from config.notices import MailSettings
from tests.fakes.orders import an_order
from tests.fakes.site_operations import sample_site

TYPED = "某公司 138-0000-1234\n工单26030310002  已办结\x1b[2J"


def line_of(phone_numbers: str) -> str:
    """Return the line of an order whose caller gave this as the name of the company."""
    settings = MailSettings.model_validate(
        {"server": "127.0.0.1:25", "sender": "hotline@example.org", "phone_numbers": phone_numbers}
    )
    nothing: Any = None
    mail = Mail(
        "mail", settings, {}, (), directory=sample_site().directory, order=nothing, in_thread=nothing, now=nothing
    )
    return mail._line(replace(an_order(), company=TYPED))


@pytest.mark.parametrize(
    ("phone_numbers", "shown"), [("masked", "138****1234"), ("full", "13800001234"), ("left_out", "某公司 \\u000a")]
)
def test_a_number_in_the_name_of_a_company_is_as_numbers_are(phone_numbers: str, shown: str) -> None:
    assert shown in line_of(phone_numbers)
    assert "138-0000-1234" not in line_of(phone_numbers)


def test_what_somebody_typed_makes_no_line_of_a_letter() -> None:
    assert line_of("masked").isprintable()
