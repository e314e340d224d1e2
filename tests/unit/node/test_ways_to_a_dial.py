"""Every way that leads to a phone, asked with every form of a number: nothing is dialled outside the list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

import config
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.whose_turn import dial_from
from config.errors import ConfigError
from config.ladder import LadderSettings
from config.number_form import NumberForm
from ivr.calls.cdr import PartyRole
from ivr.calls.errors import NumberRefused
from ivr.calls.orders import Orders
from ivr.calls.way_out import WayOut
from ivr.line.messages import Ring, SendKeys
from ivr.refused import OperationRefused
from ivr.speech.prompts import Prompt
from node.operations.online import OnlineOperations
from node.operations.supervision import SupervisionOperations
from routing.dial_rules import dial_rules
from routing.directory import load_directory
from routing.phone_numbers import stored
from routing.site import Site, load_site
from tests.fakes.callback_story import CallbackStory
from tests.fakes.line import MORNING, Behaviour, Story
from tests.fakes.number_forms import DIALLED, REFUSED
from tests.fakes.orders import CALENDAR, an_order, moment
from tests.fakes.seat_story import ACCEPTS, ANSWERS, SEAT, SPECIALIST, SUPERVISOR, SeatStory
from tests.unit.node.test_operations_orders import SUPERVISOR as BOSS
from tests.unit.node.test_operations_orders import TAX, Desk

FOLDER = Path(config.__file__).parent
AGREED = Behaviour(answers_after_s=1.0, presses="1")


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(FOLDER / "hotline.yaml")


def rung(slot: Any) -> list[str]:
    """Return the URIs a line was told to ring."""
    return [command.uri for command in slot.sent if isinstance(command, Ring)]


def callback_story(site: Site, folder: Path, **phones: Behaviour) -> CallbackStory:
    """One callback, with the last gate that the node has."""
    story = CallbackStory(site, folder, {"6111": AGREED, **phones})
    story.callbacks._services = replace(story.callbacks._services, dial_uri=WayOut(site.settings).uri)
    return story


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk()


# -- the last gate ----------------------------------------------------------------------------------------------------


# a public line of an authority is dialled for a matter that belongs there, and for nothing else
OTHER_LINES = ("12315", "12306", "12117")


@pytest.mark.parametrize("written", [written for written in REFUSED if written not in OTHER_LINES])
def test_the_last_gate_gives_no_uri(site: Site, written: str) -> None:
    with pytest.raises(NumberRefused):
        WayOut(site.settings).uri(written)


@pytest.mark.parametrize("stored_form", sorted(set(DIALLED.values())))
def test_the_last_gate_dials_what_is_stored_without_its_extension(site: Site, stored_form: str) -> None:
    assert WayOut(site.settings).uri(stored_form)[0] == f"sip:{stored_form.partition('-')[0]}@127.0.0.1:5080"


def test_the_last_gate_writes_a_number_as_its_trunk_wants_it(site: Site) -> None:
    form = NumberForm.model_validate({"out": "e164"})
    trunk = site.settings.sip.trunks[0].model_copy(update={"number_form": form})
    sip = site.settings.sip.model_copy(update={"trunks": (trunk,)})
    way_out = WayOut(site.settings.model_copy(update={"sip": sip}))
    assert way_out.uri("02162345678")[0] == "sip:+862162345678@127.0.0.1:5080"
    assert way_out.uri("6111")[0] == "sip:6111@127.0.0.1:5080"


def test_a_refused_leg_ends_as_one_the_network_refuses_and_the_tier_goes_on(site: Site, tmp_path: Path) -> None:
    story = Story(site, tmp_path, MORNING, {SPECIALIST: ACCEPTS})
    way_out = WayOut(site.settings)

    def dial_uri(number: str) -> tuple[str, str]:
        return way_out.uri("16812345678" if number == "6101" else number)

    story.call.services = replace(story.services, dial_uri=dial_uri)
    story.until_heard(Prompt.MENU).caller_presses("1").run(60)
    refused = [leg for leg in story.record.legs if leg.number == "6101"]
    assert [(leg.cause, leg.sip_status) for leg in refused] == [("number refused", 403)]
    assert story.presence.is_free("6101")
    assert not any("168" in uri for uri in rung(story.slot))
    assert {leg.number for leg in story.record.legs} > {"6101"}, "nobody else was rung"
    story.end_everything().finish()


# -- callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", REFUSED)
def test_an_order_with_what_is_no_number_is_never_its_turn(written: str) -> None:
    order = an_order(callback_number=written)
    assert dial_from(order, moment("03-04 09:00"), LadderSettings(), CALENDAR) is None
    assert dial_from(replace(order, callback_number="13800138000"), moment("03-04 09:00"), LadderSettings(), CALENDAR)


@pytest.mark.parametrize("written", REFUSED)
def test_a_callback_to_it_is_called_off_before_the_unit_is_rung(site: Site, tmp_path: Path, written: str) -> None:
    story = callback_story(site, tmp_path).ring_back(callback_number=written)
    assert story.finish().outcome is AttemptOutcome.CALLED_OFF
    assert not rung(story.slot)
    assert not story.ledger.of_type("call_offered")


def test_keys_of_an_extension_are_pressed_once_the_switchboard_has_answered(site: Site, tmp_path: Path) -> None:
    story = callback_story(site, tmp_path, **{"02162345678": ANSWERS}).ring_back(
        callback_number="02162345678-803", caller_number="02162345678-803"
    )
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, "02162345678")
    (keys,) = [command for command in story.slot.sent if isinstance(command, SendKeys)]
    assert (keys.leg, keys.keys) == (story.leg("02162345678"), "803")
    assert any(leg.number == "02162345678-803" for leg in story.call.record.legs)
    story.hang_up("02162345678").finish()


@pytest.mark.parametrize("written", ["16812345678", "17401234567", "sip:a@198.51.100.9", "110", "+85223456789"])
def test_a_leader_or_a_checked_number_is_not_rung_at_it(site: Site, tmp_path: Path, written: str) -> None:
    story = callback_story(site, tmp_path)
    story.remind_leader(written, story.ledger.owe()).run(5)
    assert story.reminded == [False]
    story = callback_story(site, tmp_path)
    legs: list[Any] = []
    ensureDeferred(story.callbacks.check_number("tax", "某人", written)).addCallback(legs.append)
    story.run(5)
    assert [(leg.cause, leg.answered_at) for leg in legs] == [("number refused", None)]
    assert not rung(story.slot)


# -- what people ask for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", REFUSED)
def test_no_act_takes_it(desk: Desk, written: str) -> None:
    assert desk.refusal("set_number", desk.put(), written, "名片", BOSS) == "number.not_dialable"
    assert desk.refusal("ring_back", desk.put(), written, TAX, own_number=written) == "number.not_of_unit"
    kept_by_an_earlier_version = desk.put(callback_number=written)
    assert desk.refusal("ring_unit_now", kept_by_an_earlier_version, BOSS) in (
        "number.not_dialable", "order.no_number",
    )  # fmt: skip
    assert not desk.ledger.events


@pytest.mark.parametrize(("written", "stored_form"), list(DIALLED.items())[::7])
def test_a_number_that_was_found_out_is_kept_in_its_stored_form_with_who_and_how(
    desk: Desk, written: str, stored_form: str
) -> None:
    order = desk.do("set_number", desk.put(callback_number="", caller_number="anonymous"), written, "名片", TAX)
    assert order.callback_number == stored_form
    event = desk.last_event()
    assert (event["note"], event["why"], event["who"]) == ("number_changed", "名片", str(TAX))


@pytest.mark.parametrize("state", [OrderState.CLOSED, OrderState.CALLING_BACK])
def test_the_number_of_an_order_that_is_settled_or_rung_stays(desk: Desk, state: OrderState) -> None:
    assert desk.refusal("set_number", desk.put(state=state), "13800138000", "名片", BOSS)
    assert not desk.ledger.events


def test_a_number_without_saying_how_it_was_found_is_not_taken(desk: Desk) -> None:
    assert desk.refusal("set_number", desk.put(), "13800138000", " ", BOSS) == "order.no_text"


def test_a_program_cannot_ask_for_it(site: Site, desk: Desk) -> None:
    office: Any = SimpleNamespace(
        dial_rules=dial_rules(site.settings), directory=site.directory, opening=lambda: SimpleNamespace(is_open=True)
    )
    ledger: Any = desk.ledger
    online = OnlineOperations(
        desk.orders, promises=Orders(ledger, SimpleNamespace(settings=site.settings, **office.__dict__)),  # type: ignore[arg-type]
        ledger=ledger, timetable=desk.timetable_made, office=office, clock=desk.clock,
    )  # fmt: skip
    for written in REFUSED:
        with pytest.raises(OperationRefused) as refused:
            desk.done(online.open_for_online("tax", written, "如何退税？", "callback", Actor.read("api:chat")))
        assert refused.value.key == "number.not_dialable"
    assert not desk.ledger.events


@pytest.mark.parametrize("written", REFUSED)
def test_no_supervisor_listens_from_it(site: Site, tmp_path: Path, written: str) -> None:
    office: Any = SimpleNamespace(dial_rules=dial_rules(site.settings))
    call: Any = SimpleNamespace(is_over=False, supervision=None, joined=[SimpleNamespace(role=PartyRole.SEAT)])
    operations = SupervisionOperations(SimpleNamespace(needed=lambda call_id: call), office)  # type: ignore[arg-type]
    with pytest.raises(OperationRefused) as refused:
        Desk().done(operations.begin("c1", written, "listen", BOSS))
    assert refused.value.key == "supervision.wrong_number"


def test_a_supervisor_is_rung_at_the_stored_form_of_their_number(site: Site, tmp_path: Path) -> None:
    story = Story(site, tmp_path, MORNING, {SEAT: ANSWERS, SPECIALIST: ACCEPTS, "13800138000": ANSWERS})
    seat = SeatStory(story).with_specialist()
    seat.do(seat.operations.supervision.begin(seat.call.call_id, "+86 138-0013-8000", "listen", BOSS))
    assert rung(story.slot)[-1] == "sip:13800138000@127.0.0.1"
    assert SUPERVISOR not in story.slot.rung.values()
    story.end_everything().finish()


# -- the directory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["leader_number: 6119", "number: 6111", "number: 8001"])
@pytest.mark.parametrize("written", ["16812345678", "+8616812345678", "110", "95588", "17401234567", "0085223456789"])
def test_the_directory_is_refused_with_the_place_of_a_number_that_is_not_dialled(
    site: Site, tmp_path: Path, place: str, written: str
) -> None:
    text = (FOLDER / "units.yaml").read_text(encoding="utf-8")
    assert place in text
    file = tmp_path / "units.yaml"
    file.write_text(text.replace(place, f'{place.partition(":")[0]}: "{written}"', 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"units\.yaml:\d+: .*number: .* is not dialled"):
        load_directory(file, FOLDER / "matters.yaml", rules=dial_rules(site.settings))


@pytest.mark.parametrize("written", ["110", "16812345678", "+85223456789", "sip:x@198.51.100.9"])
def test_a_matter_does_not_belong_to_what_is_not_dialled(site: Site, tmp_path: Path, written: str) -> None:
    text = (FOLDER / "matters.yaml").read_text(encoding="utf-8").replace("elsewhere: 9001", f'elsewhere: "{written}"')
    file = tmp_path / "matters.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not dialled"):
        load_directory(FOLDER / "units.yaml", file, rules=dial_rules(site.settings))


def test_the_directory_keeps_numbers_in_their_stored_form_and_knows_its_people_by_it(
    site: Site, tmp_path: Path
) -> None:
    text = (FOLDER / "units.yaml").read_text(encoding="utf-8")
    file = tmp_path / "units.yaml"
    file.write_text(text.replace("number: 6111", 'number: "+86 138-0013-8000"', 1), encoding="utf-8")
    directory = load_directory(file, FOLDER / "matters.yaml", rules=dial_rules(site.settings))
    person = directory.person_at("13800138000")
    assert person is not None
    assert (person[0].unit_id, person[1].number) == ("tax", "13800138000")
    assert directory.person_at("+86 138-0013-8000") == directory.person_at("013800138000") == person
    assert directory.person_at("anonymous") is None
    assert stored(person[1].number)
