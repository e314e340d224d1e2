"""Which numbers a site dials: one rule for every way that leads to a phone, and how each trunk writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from config.fields import split_address
from config.number_form import NumberForm
from config.settings import Settings
from routing.phone_numbers import dialable, digits_of, stored

# Whatever a site allows: emergency and service codes, premium and shared-cost numbers, carriers' prefixes.
_NEVER = re.compile(r"(?:1[0-2][0-9]|999|1[0-2][0-9]{3,}|16[0-9]{3,}|179[0-9]{2,}|9[56][0-9]{3,}|[48]00[0-9]{7})")
_OTHER_LINE = re.compile(r"12[0-9]{3}")  # the public lines of authorities: 12348, 12366
_URI = re.compile(r"sip:(?P<user>[A-Za-z0-9_.+-]+)@(?P<address>[A-Za-z0-9_.\[\]:-]+)")
_NAMELESS = re.compile(r"[0-9.+-]+")
_SHORTEST = 3  # digits of an extension or a short code; fewer say nothing of who rings
_ANY_FORM = NumberForm()
_NOBODY = frozenset({"anonymous", "unavailable", "unknown", "restricted", "private", "withheld", "invalid"})


@dataclass(frozen=True, slots=True)
class DialRules:
    """What may be dialled: `callback` for enterprises, `house` for people of ours, `other_line` for another service.

    Each returns the number in its stored form, or None if it may not be dialled.
    """

    patterns: tuple[str, ...]
    extension_patterns: tuple[str, ...]
    own_numbers: tuple[str, ...]
    area_code: str
    hosts: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    def callback(self, written: str) -> str | None:
        """Return a number that an order may be rung back on; see `phone_numbers.dialable`."""
        return dialable(written, self.patterns, self.own_numbers, self.area_code)

    def house(self, written: str) -> str | None:
        """Return a number of a seat, a specialist, a leader or an account: a phone, an extension, or a URI of a PBX."""
        uri = _URI.fullmatch(written)
        if uri is not None:
            return written if self._is_of_a_person(uri["user"]) and self._is_known(uri["address"]) else None
        return self.callback(written) or self._extension(written)

    def other_line(self, written: str) -> str | None:
        """Return the number of another service that callers are put through to: a house number or 12xxx, not ours."""
        is_other = _OTHER_LINE.fullmatch(written) is not None and written not in self.own_numbers
        return written if is_other else self.house(written)

    def may_dial(self, number: str) -> bool:
        """Whether a number, as it is stored, may be dialled on any way: the last question before an INVITE leaves."""
        return self.other_line(number) is not None

    def caller(self, numbers: Iterable[str], form: NumberForm = _ANY_FORM) -> str:
        """Return who rings: the first number that a trunk sent, in its stored form as far as it has one.

        Nothing behind it counts: it may be what somebody says of themselves whom the trunk knows by the first. Without
        any number it is the first text, for a person to look at; "" if the caller withheld all.
        """
        texts = self._read(numbers, form)
        first = next((text for text in texts if len(digits_of(text) or "") >= _SHORTEST), None)
        if first is not None:
            return self.callback(first) or _printed(first)
        return self._first_rung_back(texts) or next(map(_printed, texts), "")

    def rung_back(self, numbers: Iterable[str], form: NumberForm = _ANY_FORM) -> str:
        """Return the first of the numbers a trunk sent that may be rung back, whoever it is that rings; "" for none."""
        return self._first_rung_back(self._read(numbers, form))

    def _first_rung_back(self, texts: Iterable[str]) -> str:
        return next((number for text in texts if (number := self.callback(text))), "")

    def _read(self, numbers: Iterable[str], form: NumberForm) -> list[str]:
        """Return what a trunk sent as any other would write it."""
        texts = [number.removeprefix(form.in_prefix) for number in numbers if number.lower() not in _NOBODY]
        if form.callers == "e164":
            return [f"+{text}" if _begins_with_country_code(text) else text for text in texts]
        return texts

    def dialled(self, number: str, form: NumberForm) -> str:
        """Return a number as a trunk wants it; an extension of the house, and another line, as it is."""
        phone = stored(number)
        if phone is None:
            return number
        area_code = form.area_code or self.area_code
        abroad = "86" + phone.national.removeprefix("0")
        local = phone.national.removeprefix(area_code)
        return form.out_prefix + {
            "national": phone.national, "e164": "+" + abroad, "e164_bare": abroad, "local": local,
        }[form.dialled]  # fmt: skip

    def _extension(self, written: str) -> str | None:
        if not written.isascii() or written in self.own_numbers or _NEVER.fullmatch(written):
            return None
        return written if any(re.fullmatch(pattern, written) for pattern in self.extension_patterns) else None

    def _is_of_a_person(self, user: str) -> bool:
        """Whether a URI's user is a name, or a number that may be dialled without a URI, too."""
        if _NAMELESS.fullmatch(user) is None:
            return True
        return self.callback(user) is not None or self._extension(user) is not None

    def _is_known(self, address: str) -> bool:
        try:
            host = split_address(address)[0]
        except ValueError:
            return False
        try:
            numeric = ip_address(host)
        except ValueError:
            return host.lower() in self.hosts
        return host in self.hosts or any(numeric in network for network in self.networks)


def dial_rules(settings: Settings) -> DialRules:
    """Return the rules of a site."""
    sip, phone = settings.sip, settings.phone
    trunks = [split_address(trunk.host)[0].lower() for trunk in sip.trunks]
    hosts = [host.lower() for host in sip.phone_hosts if isinstance(host, str)]
    networks = [network for network in sip.phone_hosts if not isinstance(network, str)]
    networks += [network for trunk in sip.trunks for network in trunk.allow]
    return DialRules(
        phone.number_patterns, phone.extension_patterns, sip.own_numbers, phone.area_code,
        frozenset([*trunks, *hosts]), tuple(networks),
    )  # fmt: skip


def _begins_with_country_code(written: str) -> bool:
    return written[:1] in "123456789" and len(re.sub(r"[^0-9]", "", written)) > 8


def _printed(text: str) -> str:
    """Return a text for people to read; what cannot be printed leaves a mark, lest it become a number without it."""
    return "".join(char if char.isprintable() else "?" for char in text)[:64]
