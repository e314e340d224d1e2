"""The seat's desk: the call in hand, what is possible now and why not, and every act with who did it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callback_scheduler.orders.states import OrderState
from console.http.messages import Response
from console.people.roles import Role
from ivr.refused import OperationRefused
from tests.web.live_sample import CALL_ID, CALLER, SEAT_NUMBER, call_in_hand, fill, order, seat
from tests.web.visitors import House, Visitor, header, text

WHO = "seat:li"


@pytest.fixture
def house() -> House:
    """A console where seat 8001 talks with a caller."""
    made = House()
    fill(made.operations)
    made.operations.answers["call_view.seat_call"] = call_in_hand()
    return made


@pytest.fixture
def li(house: House) -> Visitor:
    """The person at seat 8001."""
    return house.visitor(Role.SEAT, name="li", number=SEAT_NUMBER)


def asked(visitor: Visitor, path: str, **form: str) -> Response:
    """Post as the page's script does."""
    return visitor.post(path, form, accept="application/json")


def button(page: str, name: str) -> str:
    """Return the tag of an act's button."""
    return page.partition(f'id="{name}"')[2].partition(">")[0]


def test_the_call_in_hand_stands_there_with_caller_masked_matter_and_parties(house: House, li: Visitor) -> None:
    page = text(li.get("/seat"))
    assert "138****5678" in page
    assert CALLER not in page
    assert "企业登记" in page
    assert ("call_view.seat_call", (SEAT_NUMBER,)) in house.operations.acts


def test_a_call_that_rings_says_to_pick_up(house: House, li: Visitor) -> None:
    rings = seat(SEAT_NUMBER, "企业专席一", "ringing", "seat.not_offered.ringing")
    house.operations.answers["seats.statuses"] = [rings]
    page = text(li.get("/seat"))
    assert "来电振铃" in page
    assert "按1接听" in page


def test_open_orders_stand_with_state_and_deadline_and_what_is_late_says_so(house: House, li: Visitor) -> None:
    late = order("202603060011", -71, OrderState.NOT_REACHED, "tax")
    house.operations.answers["call_view.seat_call"] = call_in_hand(open_orders=[order("202603090003", 1), late])
    page = text(li.get("/seat"))
    due, overdue = page.split("202603060011")
    assert "今天 10:05" in due
    assert "已派单" in due
    assert "已逾期" not in due
    assert "已逾期" in overdue
    assert "区税务局" in overdue


def test_last_calls_stand_with_what_they_came_to(house: House, li: Visitor) -> None:
    before = {"offered_at": "2026-03-09T20:11:00+08:00", "matter_id": "tax", "outcome": "served", "two_way_s": 184.2}
    house.operations.answers["call_view.seat_call"] = call_in_hand(last_calls=[before])
    page = text(li.get("/seat"))
    assert "昨天 20:11" in page
    assert "已接待 · 通话184秒" in page


def test_while_redis_is_away_the_call_is_there_and_the_history_says_why_not(house: House, li: Visitor) -> None:
    house.operations.answers["call_view.seat_call"] = call_in_hand(open_orders=None, last_calls=None)
    page = text(li.get("/seat"))
    assert "138****5678" in page
    assert "工单和通话记录暂时读不到" in page


def test_what_is_not_possible_now_is_disabled_with_the_reason_in_words(li: Visitor) -> None:
    page = text(li.get("/seat"))
    assert "disabled" not in button(page, "act-hold")
    assert "disabled" in button(page, "act-leave")
    assert "暂无他人与企业通话，您不能退出。" in page
    assert "disabled" in button(page, "act-drop")


def test_a_matter_that_belongs_elsewhere_does_not_close_the_search_but_a_specialist_does(
    house: House, li: Visitor
) -> None:
    for why, words in (("call.belongs_elsewhere", ""), ("call.specialist_there", "请先结束")):
        may = call_in_hand()["may"] | {"transfer": why}
        house.operations.answers["call_view.seat_call"] = call_in_hand(may=may)
        page = text(li.get("/seat/now"))
        shown = page.partition('data-why-no-transfer="')[2].partition('"')[0]
        assert (words in shown) if words else shown == ""


def test_without_a_call_every_act_is_disabled_and_the_page_says_what_will_come(house: House, li: Visitor) -> None:
    house.operations.answers["call_view.seat_call"] = None
    page = text(li.get("/seat"))
    assert "现在没有来电" in page
    assert all("disabled" in button(page, name) for name in ("act-hold", "act-drop", "act-leave"))


@pytest.mark.parametrize(("number", "words"), [("", "没有电话号码"), ("7777", "不是名录中的坐席")])
def test_an_account_that_is_no_seat_is_told_so(house: House, number: str, words: str) -> None:
    page = text(house.visitor(Role.SEAT, name="wang", number=number).get("/seat"))
    assert words in page
    assert CALL_ID not in page


# -- search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["税务", "shuiwu", "swbl", "21"])
def test_matters_are_found_by_chinese_pinyin_initials_and_code(li: Visitor, words: str) -> None:
    results = json.loads(li.get(f"/seat/search?q={words}").body)["results"]
    assert ("matter", "tax") in [(one["kind"], one["key"]) for one in results]


def test_without_script_the_results_are_on_the_page_each_with_its_button(li: Visitor) -> None:
    page = text(li.get("/seat?q=swbl"))
    assert f'action="/seat/calls/{CALL_ID}/transfer"' in page
    assert '<input type="hidden" name="target" value="tax">' in page


def test_what_is_typed_is_shown_as_text(li: Visitor) -> None:
    page = text(li.get('/seat?q="><script>alert(1)</script>'))
    assert "<script>alert" not in page


# -- acts -------------------------------------------------------------------------------------------------------------

ACTS: list[tuple[str, dict[str, str], str, tuple[Any, ...]]] = [
    ("transfer", {"kind": "matter", "target": "tax"}, "transfer", (CALL_ID, "tax", WHO, "matter", SEAT_NUMBER)),
    ("hold", {"held": "yes"}, "hold", (CALL_ID, WHO, SEAT_NUMBER, True)),
    ("hold", {"held": "no"}, "hold", (CALL_ID, WHO, SEAT_NUMBER, False)),
    ("drop", {}, "drop", (CALL_ID, WHO, SEAT_NUMBER)),
    ("leave", {}, "leave", (CALL_ID, WHO, SEAT_NUMBER)),
]


@pytest.mark.parametrize("act_asked", ACTS)
def test_each_act_is_done_for_the_seats_own_phone_and_audited(
    house: House, li: Visitor, act_asked: tuple[str, dict[str, str], str, tuple[Any, ...]]
) -> None:
    path, form, verb, arguments = act_asked
    answer = asked(li, f"/seat/calls/{CALL_ID}/{path}", **form)
    assert answer.status == 200
    assert json.loads(answer.body)["text"]
    assert house.operations.acts[-1] == (f"calls.{verb}", arguments)
    act = house.audit.acts[-1]
    assert (act.who, act.what, act.about) == (WHO, f"seat.{path}", CALL_ID)
    assert act.result.startswith("200")


def test_the_audit_log_says_whom_a_call_was_put_through_to(house: House, li: Visitor) -> None:
    asked(li, f"/seat/calls/{CALL_ID}/transfer", kind="person", target="6101")
    assert house.audit.acts[-1].result == "200 person 6101"


def test_a_refused_act_says_why_and_is_audited_too(house: House, li: Visitor) -> None:
    house.operations.answers["calls.transfer"] = OperationRefused("登记窗口一正在另一通电话中。", "call.person_busy")
    answer = asked(li, f"/seat/calls/{CALL_ID}/transfer", kind="person", target="6101")
    assert answer.status == 409
    assert json.loads(answer.body)["error"]["text"] == "登记窗口一正在另一通电话中。"
    assert house.audit.acts[-1].result.startswith("409")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("transfer", {"kind": "planet", "target": "tax"}), ("transfer", {"kind": "matter"}), ("transfer", {}),
        ("hold", {}),
    ],
)  # fmt: skip
def test_a_form_that_says_half_is_refused_and_nothing_is_done(
    house: House, li: Visitor, path: str, form: dict[str, str]
) -> None:
    before = list(house.operations.acts)
    assert asked(li, f"/seat/calls/{CALL_ID}/{path}", **form).status == 400
    assert house.operations.acts == before


def test_an_account_without_a_number_can_do_nothing(house: House) -> None:
    visitor = house.visitor(Role.SEAT, name="wang")
    for path in (f"/seat/calls/{CALL_ID}/leave", "/seat/state", "/seat/wrap-up"):
        answer = asked(visitor, path, state="away", text="x")
        assert (answer.status, json.loads(answer.body)["error"]["key"]) == (409, "seat.no_number")
    assert not house.operations.acts


def test_wrap_up_is_kept_as_typed_and_an_empty_one_is_refused(house: House, li: Visitor) -> None:
    asked(li, "/seat/wrap-up", text="企业问<注销>流程")
    assert house.operations.acts[-1] == ("seats.wrap_up", (SEAT_NUMBER, "企业问<注销>流程", WHO))
    assert asked(li, "/seat/wrap-up", text="  ").status == 400


def test_a_seat_goes_away_with_a_reason_and_comes_back(house: House, li: Visitor) -> None:
    asked(li, "/seat/state", state="away", why="用餐")
    assert house.operations.acts[-1] == ("seats.set_seat_state", (SEAT_NUMBER, "away", "用餐", WHO))
    asked(li, "/seat/state", state="ready")
    assert house.operations.acts[-1] == ("seats.set_seat_state", (SEAT_NUMBER, "ready", "", WHO))
    assert asked(li, "/seat/state", state="asleep").status == 400


def test_a_form_without_script_comes_back_to_the_desk_with_a_word(li: Visitor) -> None:
    answer = li.post("/seat/state", {"state": "ready"})
    assert (answer.status, header(answer, "Location")) == (303, "/seat")
    assert "已就绪" in text(li.get("/seat"))


def test_the_keys_of_the_phone_stand_on_the_page(li: Visitor) -> None:
    page = text(li.get("/seat"))
    for keys in ("*#", "*5", "*9", "*0"):
        assert f"<kbd>{keys}</kbd>" in page


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("state", list(OrderState))
def test_every_state_of_an_order_has_words(house: House, li: Visitor, state: OrderState, language: str) -> None:
    house.operations.answers["call_view.seat_call"] = call_in_hand(open_orders=[order("202603090003", 1, state)])
    assert li.get(f"/seat?lang={language}").status == 200


def test_a_seat_enters_who_is_calling(house: House, li: Visitor) -> None:
    assert 'name="company"' in text(li.get("/seat"))
    assert li.post("/seat/enterprise", {"company": "长宁纸业", "contact": "王经理"}).status == 303
    (act,) = [act for act in house.operations.acts if act[0] == "seats.name_enterprise"]
    assert act[1][1:3] == ("长宁纸业", "王经理")
