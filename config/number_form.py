"""How a trunk writes phone numbers: those of callers that it sends, and those that it wants to be given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Strict

Digits = Annotated[str, Field(pattern=r"^[0-9*#]{0,8}$")]
AreaCode = Annotated[str, Field(pattern=r"^0(10|2[0-9]|[3-9][0-9]{2})$")]
CallerHeader = Literal["p_asserted_identity", "remote_party_id", "from", "p_preferred_identity"]
# RFC 3325: a trunk vouches for what it asserts; From and P-Preferred-Identity are what a caller says of themselves.
CALLER_FROM: tuple[CallerHeader, ...] = ("p_asserted_identity", "remote_party_id", "from", "p_preferred_identity")


class NumberForm(Strict):
    """The forms of one trunk's numbers.

    `in` is how callers' numbers look: `any` reads all forms, `e164` says that each begins with its country code, with +
    or without, so that 85223456789 is Hong Kong's. `in_prefix` is taken off them. `out` is how a number is dialled:
    `national` 02162345678, `e164` +862162345678, `e164_bare` 862162345678, `local` without the trunk's own area code.
    `out_prefix` goes before it. Extensions of the house are dialled as they are.
    """

    callers: Literal["any", "e164"] = Field(default="any", alias="in")
    in_prefix: Digits = ""
    dialled: Literal["national", "e164", "e164_bare", "local"] = Field(default="national", alias="out")
    out_prefix: Digits = ""
    area_code: AreaCode | None = None  # none: the site's, phone.area_code
