"""Whose number a seat's or specialist's phone shows: the caller's, where the trunk is told so and nobody hides it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, SipSettings
from ivr.calls.way_out import WayOut
from ivr.line.messages import Ring
from ivr.speech.prompts import Prompt
from routing.site import Site
from tests.fakes.line import MORNING, Behaviour, Story

CALLER = "13800005678"


def way_out(**trunk: Any) -> WayOut:
    first = {"name": "carrier", "host": "198.51.100.1:5060", "allow": ["198.51.100.0/24"], **trunk}
    return WayOut(Settings(sip=SipSettings.model_validate({"listen": "192.0.2.10:5060", "trunks": [first]})))


def test_the_number_is_asserted_and_ours_stays_in_from() -> None:
    assert way_out().shows(CALLER) == ("", {"P-Asserted-Identity": f"<sip:{CALLER}@192.0.2.10>"})


def test_a_trunk_may_want_it_in_from_in_its_own_form_or_not_at_all() -> None:
    assert way_out(shows_caller="from", number_form={"out": "e164"}).shows(CALLER) == (
        f"sip:+86{CALLER}@192.0.2.10", {},
    )  # fmt: skip
    assert way_out(shows_caller="no").shows(CALLER) == ("", {})


@pytest.mark.parametrize("caller", ["", "anonymous", "16812345678", "a\r\nX: 1"])
def test_what_is_no_number_is_not_shown(caller: str) -> None:
    assert way_out().shows(caller) == ("", {})


@pytest.mark.parametrize(("is_hidden", "shown"), [(False, True), (True, False)])
def test_a_seat_sees_who_rings_unless_they_hide_it(
    site: Site, tmp_path: Path, is_hidden: bool, shown: bool
) -> None:
    story = Story(site, tmp_path, MORNING, {"8001": Behaviour(), "8002": Behaviour()})
    object.__setattr__(story.services, "shows", lambda caller: ("", {"P-Asserted-Identity": caller}))
    story.call.is_caller_hidden = is_hidden
    story.until_heard(Prompt.MENU).caller_presses("1").until_heard(Prompt.CONNECTING_SEAT).run(3)
    rings = [command for command in story.slot.sent if isinstance(command, Ring)]
    assert rings
    assert all(bool(ring.headers) is shown for ring in rings)
