"""Numbers as people, phones and trunks write them: one stored form each, and nothing dialled that may not be."""

from __future__ import annotations

import re

import pytest

from config.number_form import NumberForm
from config.settings import PhoneManners, Settings, SipSettings, Trunk
from routing.dial_rules import DialRules, dial_rules
from routing.phone_numbers import base_of, dialable, is_in_plan, masked, stored
from tests.fakes.number_forms import DIALLED, REFUSED

ANY = (r".*",)  # a site whose allow-list lets everything through: the numbering plan still holds
TRUNK = Trunk(name="town", host="192.0.2.1:5060", allow=("192.0.2.0/24",))


def rules(**phone: object) -> DialRules:
    sip = SipSettings(own_numbers=("12345", "02162340000"), trunks=(TRUNK,))
    return dial_rules(Settings(sip=sip, phone=PhoneManners.model_validate(phone)))


def test_the_table_is_no_small_one() -> None:
    assert len(DIALLED) >= 200
    assert len(REFUSED) >= 100
    assert not DIALLED.keys() & set(REFUSED)


@pytest.mark.parametrize(("written", "stored_form"), DIALLED.items())
def test_every_form_of_a_number_has_the_same_stored_form(written: str, stored_form: str) -> None:
    assert dialable(written, PhoneManners().number_patterns) == stored_form
    assert rules().house(written) == rules().other_line(written) == stored_form
    assert dialable(stored_form, ANY) == stored_form, "what is stored is read again as it is"


@pytest.mark.parametrize("written", REFUSED)
def test_what_may_not_be_dialled_is_refused_on_every_way_whatever_the_allow_list_says(written: str) -> None:
    anything = rules(number_patterns=ANY, extension_patterns=ANY)
    assert dialable(written, ANY) is None
    for ask in (rules().callback, rules().house, rules().other_line, anything.callback):
        number = ask(written)
        assert number is None or re.fullmatch(r"12[0-9]{3}", number), f"{written!r} would be dialled as {number!r}"
    assert rules().callback(written) is None
    assert rules().house(written) is None


def test_a_local_number_is_the_sites_own() -> None:
    assert rules(area_code="0571").callback("87654321") == "057187654321"
    assert rules(area_code="0310").callback("8234567") == "03108234567"
    assert rules().callback("8234567") is None, "seven digits are no number of Shanghai's"


def test_our_own_numbers_are_never_dialled_in_whatever_form() -> None:
    for written in ("02162340000", "+862162340000", "62340000", "021-62340000", "021-62340000-1", "12345"):
        assert rules().callback(written) is None
        assert not rules().may_dial(written)


def test_the_allow_list_comes_first() -> None:
    only_mobiles = rules(number_patterns=(r"1[3-9]\d{9}",))
    assert only_mobiles.callback("+8613800138000") == "13800138000"
    assert only_mobiles.callback("02162345678") is None


def test_the_house_has_short_numbers_which_no_callback_goes_to() -> None:
    for extension in ("6101", "8001", "9003"):
        assert rules().house(extension) == extension
        assert rules().callback(extension) is None
    assert rules().house("1001") is None
    assert rules(extension_patterns=(r"10\d{2}",)).house("1001") == "1001"
    assert rules(extension_patterns=(r"\d+",)).house("110") is None, "emergency numbers are nobody's extension"


@pytest.mark.parametrize(
    ("uri", "is_dialled"),
    [
        ("sip:6101@192.0.2.7:5060", True),  # the trunk's own network
        ("sip:zhang.san@10.1.2.3", True),  # a private address
        ("sip:zhang@pbx.example.org", False),
        ("sip:zhang@198.51.100.9", False),
        ("sip:16812345678@10.1.2.3", False),
        ("sip:+85223456789@192.0.2.1", False),
        ("sip:12345@192.0.2.1", False),
        ("sip:110@10.1.2.3", False),
    ],
)
def test_a_uri_leads_to_phones_of_known_hosts_and_is_no_way_round_the_list(uri: str, is_dialled: bool) -> None:
    assert (rules().house(uri) is not None, rules().may_dial(uri)) == (is_dialled, is_dialled)
    assert rules().callback(uri) is None


def test_a_host_that_the_site_names_is_known() -> None:
    sip = SipSettings.model_validate({"phone_hosts": ["PBX.example.org", "198.51.100.0/24"]})
    named = dial_rules(Settings(sip=sip))
    assert named.house("sip:zhang@pbx.example.org:5062")
    assert named.house("sip:zhang@198.51.100.9")
    assert named.house("sip:zhang@10.1.2.3") is None, "what is named takes the place of the private networks"


def test_a_caller_is_the_first_number_and_is_rung_back_at_the_first_that_may_be() -> None:
    texts = ("zhang", "4001234567", "+8613800138000", "02162345678")
    assert (rules().caller(texts), rules().rung_back(texts)) == ("4001234567", "13800138000")
    assert rules().rung_back(("4001234567", "anonymous")) == ""
    assert rules().caller(("anonymous", "0085223456789")) == "0085223456789"
    assert rules().caller(("Anonymous",)) == "" == rules().caller(())


@pytest.mark.parametrize("written", REFUSED)
def test_who_rings_from_what_may_not_be_dialled_is_shown_and_stays_undialled(written: str) -> None:
    assert rules().callback(rules().caller((written,))) is None


def test_a_trunk_that_sends_country_codes_without_plus_has_no_foreigner_taken_for_a_neighbour() -> None:
    bare = NumberForm.model_validate({"in": "e164"})
    assert rules().caller(("8862345678",)) == "08862345678", "Lijiang, as any other trunk writes it"
    assert rules().caller(("8862345678",), bare) == "+8862345678", "Taiwan's country code: kept, and not rung"
    assert rules().callback("8862345678") == "08862345678"
    assert rules().caller(("8613800138000",), bare) == "13800138000"
    assert rules().caller(("913800138000",), NumberForm(in_prefix="9")) == "13800138000"


@pytest.mark.parametrize(
    ("form", "mobile", "landline", "extension"),
    [
        ({}, "13800138000", "02162345678", "02162345678"),
        ({"out": "e164"}, "+8613800138000", "+862162345678", "+862162345678"),
        ({"out": "e164_bare"}, "8613800138000", "862162345678", "862162345678"),
        ({"out": "local"}, "13800138000", "62345678", "62345678"),
        ({"out": "local", "area_code": "0571"}, "13800138000", "02162345678", "02162345678"),
        ({"out_prefix": "9"}, "913800138000", "902162345678", "902162345678"),
    ],
)
def test_each_trunk_is_given_numbers_as_it_wants_them(
    form: dict[str, str], mobile: str, landline: str, extension: str
) -> None:
    wanted = NumberForm.model_validate(form)
    for stored_form, sent in (("13800138000", mobile), ("02162345678", landline), ("02162345678-803", extension)):
        assert rules().dialled(stored_form, wanted) == sent
    assert rules().dialled("6101", wanted) == "6101"


def test_what_an_earlier_version_stored_is_judged_again() -> None:
    assert stored("13800138000")
    assert stored("02162345678-803")
    for stored_form in ("", "17401234567", "1380013800٠", "sip:a@b", "+8613800138000", "02162345678-1234567"):
        assert stored(stored_form) is None
    assert (base_of("02162345678-803"), base_of("anonymous")) == ("02162345678", "anonymous")
    assert not is_in_plan("0216234567")


def test_masked_numbers_show_their_ends() -> None:
    assert masked("13800138000") == "138****8000"
    assert masked("6101") == "****1"
