"""Which numbers an office lets be rung at all: those of its directory, of the house, and of the allow-list."""

from __future__ import annotations

from pathlib import Path

import pytest

import config
from ivr.calls.office import Office
from routing.clock import MovableClock
from routing.site import load_site
from tests.fakes.line import MORNING


@pytest.fixture(scope="module")
def office() -> Office:
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    return Office(site.settings, site.directory, site.calendar, site.hours, MovableClock(MORNING))


@pytest.mark.parametrize(
    ("number", "may"),
    [
        ("6101", True), ("8001", True), ("7001", True), ("13900001111", True), ("+8613900001111", True),
        ("02162524455", True), ("12345", False), ("110", False), ("119", False), ("120", False), ("10086", False),
        ("95588", False), ("96110", False), ("16812345678", False), ("0085212345678", False), ("+14155550100", False),
        ("", False), ("sip:x@y", False), ("139-0000-1111", False), ("+8612345", False), ("4008123123", False),
    ],
)  # fmt: skip
def test_which_numbers_may_be_rung(office: Office, number: str, may: bool) -> None:
    assert office.may_be_rung(number) is may


def test_what_the_directory_has_may_be_rung_as_it_is_written_there(office: Office) -> None:
    units = office.directory.units
    numbers = [person.number for unit in units for tier in unit.tiers for person in tier.specialists]
    numbers += [number for unit in units for number in (unit.leader_number, unit.head_number) if number]
    numbers += [matter.belongs_elsewhere for matter in office.directory.matters if matter.belongs_elsewhere]
    assert all(office.may_be_rung(number) for number in numbers)
