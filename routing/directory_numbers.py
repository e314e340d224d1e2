"""The numbers in the files of the directory that this site does not dial, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from config.errors import Fault
from config.yaml_lines import Document, Key
from routing.dial_rules import DialRules
from routing.directory_file import members, specialists

_LEADERS = ("leader_number", "head_number")


def undialled(units: Document, matters: Document, rules: DialRules) -> Iterator[Fault]:
    """Yield a fault for each number that a call would be refused for; our own are told apart from these."""
    for key, _, entry in specialists(units):
        yield from _fault(units, (*key, "number"), entry.get("number"), rules.house, rules)
    for seat_id, entry in members(units, "seats").items():
        yield from _fault(units, ("seats", seat_id, "number"), entry.get("number"), rules.house, rules)
    for unit_id, entry in members(units, "units").items():
        for name in _LEADERS:
            yield from _fault(units, ("units", unit_id, name), entry.get(name), rules.house, rules)
    for matter_id, entry in members(matters, "matters").items():
        target = entry.get("belongs_elsewhere")
        yield from _fault(matters, ("matters", matter_id, "belongs_elsewhere"), target, rules.other_line, rules)


def _fault(
    document: Document, key: Key, written: Any, rule: Callable[[str], str | None], rules: DialRules
) -> Iterator[Fault]:
    number = "" if written is None else str(written)
    if number and number not in rules.own_numbers and rule(number) is None:
        yield document.fault(
            key, f"{number} is not dialled: a national number, a short one of phone.extension_patterns, or a URI at "
            "a trunk or at sip.phone_hosts",
        )  # fmt: skip
