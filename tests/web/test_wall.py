"""The wall: what each role sees of this moment, what a supervisor may do in a call, and what is never shown."""

from __future__ import annotations

import json

import pytest

from callback_scheduler.errors import StoreError
from console.http.events import Viewer
from console.people.roles import Role
from console.rendering.texts import LANGUAGES, Texts
from console.wall.view import STAGES
from ivr.calls.refusals import Refusal
from ivr.calls.seat_states import NotOffered
from ivr.calls.steps import CallStep
from ivr.dispatch.stage import stage_of_step
from ivr.door.registration import RegistrationState
from ivr.refused import OperationRefused
from tests.web.live_sample import CALL_ID, call, fill, report, seat
from tests.web.visitors import House, Visitor, header, text

SUPERVISION = f"{CALL_ID}-s9"


@pytest.fixture
def house() -> House:
    """A console on a busy morning."""
    made = House()
    fill(made.operations)
    return made


@pytest.fixture
def supervisor(house: House) -> Visitor:
    """A supervisor at phone 7001."""
    return house.visitor(Role.SUPERVISOR, name="zhou", number="7001")


def test_the_wall_says_in_words_where_each_call_is_and_with_whom(supervisor: Visitor) -> None:
    page = text(supervisor.get("/wall"))
    for words in ("三方通话", "与坐席通话，正在呼叫专业人员", "等待空闲坐席", "选择事项", "来电人听音乐，坐席在咨询"):
        assert words in page
    assert "138****5678" in page
    assert "税务办理" in page
    assert "登记窗口一 (振铃)" in page


def test_the_wall_says_that_the_clock_is_doubted(house: House, supervisor: Visitor) -> None:
    for path in ("/wall", "/wall/figures"):
        assert "系统时钟（clock）" not in text(supervisor.get(path))
    house.operations.status_now["timetable"] = {"is_clock_doubted": True}
    for path in ("/wall", "/wall/figures"):
        assert "系统时钟（clock）" in text(supervisor.get(path))


def test_the_wall_says_that_the_node_drains_and_how_many_calls_are_left(house: House, supervisor: Visitor) -> None:
    assert "不再接入新来电" not in text(supervisor.get("/wall"))
    house.operations.status_now["drain"] = {"is_draining": True, "calls": 17, "left_s": 60}
    page = text(supervisor.get("/wall"))
    assert "不再接入新来电" in page
    assert "17" in page


@pytest.mark.parametrize(("waits_s", "is_told"), [(540.0, False), (660.0, True)])
def test_the_wall_says_that_an_order_is_due_and_was_never_dialled(
    house: House, supervisor: Visitor, waits_s: float, is_told: bool
) -> None:
    house.operations.status_now["timetable"] = {"oldest_undialled_s": waits_s}
    assert ("有工单到期已超过10分钟" in text(supervisor.get("/wall/figures"))) is is_told


def test_the_wall_says_why_a_seat_is_not_offered_calls(supervisor: Visitor) -> None:
    page = text(supervisor.get("/wall"))
    assert "连续未接听，系统已置为离席" in page
    assert "话后整理，暂不分配来电" in page


def test_the_wall_shows_lines_trunks_queue_and_callbacks_apart_from_calls(supervisor: Visitor) -> None:
    page = text(supervisor.get("/wall"))
    assert "占用 7 路" in page
    assert "✕ 无法连接" in page
    calls, callbacks = page.split('id="callbacks-title"')
    assert "正在呼叫企业" in callbacks.split("<template")[0]
    assert '<strong id="n-calls">5</strong>' in calls
    assert '<strong id="n-waiting">1</strong>' in calls


def test_each_rate_of_today_stands_with_its_numerator_and_denominator(supervisor: Visitor) -> None:
    page = text(supervisor.get("/wall"))
    assert "61/62" in page  # without the two who hung up early
    assert "29/31" in page
    assert "目标 ≥90%" in page
    assert "低于目标" not in page


def test_below_the_goal_it_says_how_many_must_succeed_in_a_row(house: House, supervisor: Visitor) -> None:
    house.operations.answers["report"] = report(transfers=30, transfers_connected=25)
    page = text(supervisor.get("/wall/figures"))
    assert "低于目标 90%" in page
    assert "须连续接通 20 个" in page


def test_the_last_misses_stand_with_their_cause_and_a_way_to_the_order(supervisor: Visitor) -> None:
    page = text(supervisor.get("/wall"))
    assert "企业电话从未拨出" in page
    assert 'href="/orders/202603090007"' in page


def test_an_administrator_sees_the_wall_but_no_way_into_a_call_or_an_order(house: House) -> None:
    page = text(house.visitor(Role.ADMIN).get("/wall")).split("<template")[0]
    assert "三方通话" in page
    assert "/supervise" not in page
    assert 'href="/orders/' not in page


def test_while_redis_is_away_the_calls_are_shown_all_the_same(house: House, supervisor: Visitor) -> None:
    house.operations.answers["report"] = StoreError("away")
    answer = supervisor.get("/wall")
    assert answer.status == 200
    assert "三方通话" in text(answer)
    assert "统计数据暂时读不到" in text(answer)


def test_an_empty_house_has_a_wall_that_says_so(house: House, supervisor: Visitor) -> None:
    house.operations.status_now |= {"calls": [], "seats": [], "lines": {}}
    page = text(supervisor.get("/wall"))
    assert "现在没有来电" in page
    assert "现在没有回电" in page
    assert "名录中没有坐席" in page


def test_what_people_type_is_shown_as_text(house: House, supervisor: Visitor) -> None:
    evil = '<img src=x onerror="alert(1)">'
    house.operations.status_now |= {
        "seats": [seat("8001", evil, "away", "seat.not_offered.away", evil)],
        "calls": [call("x", evil, evil, 1)],
    }
    page = text(supervisor.get("/wall"))
    assert "<img" not in page
    assert "&lt;img" in page


def test_the_page_names_the_moment_it_shows_so_that_the_stream_goes_on_from_there(
    house: House, supervisor: Visitor
) -> None:
    house.operations.tell("seat", number="8001")
    hub = house.console.events
    page = text(supervisor.get("/wall"))
    assert f'data-position="{hub.position}"' in page
    hub.publish("seat", {"number": "8002"})
    written: list[bytes] = []

    class Sink:
        def write(self, part: bytes) -> None:
            written.append(part)

        def close(self) -> None:
            pass

    position = page.partition('data-position="')[2].partition('"')[0]
    hub.join(Sink(), frozenset({"seat"}), Viewer(Role.SUPERVISOR), position)
    assert b'"8002"' in b"".join(written)


# -- in a call --------------------------------------------------------------------------------------------------------


def test_a_supervisor_listens_with_his_own_phone_and_that_is_audited(house: House, supervisor: Visitor) -> None:
    answer = supervisor.post("/wall/calls/c2/supervise", {"mode": "listen"}, accept="application/json")
    assert "正在呼叫您的电话" in json.loads(answer.body)["text"]
    assert house.operations.acts[-1] == ("supervision.begin", ("c2", "7001", "listen", "supervisor:zhou", "zhou"))
    act = house.audit.acts[-1]
    assert (act.what, act.about, act.result) == ("wall.supervise", "c2", "200 listen")


def test_a_form_without_script_comes_back_to_the_wall_with_a_word(house: House, supervisor: Visitor) -> None:
    answer = supervisor.post("/wall/calls/c2/supervise", {"mode": "whisper"})
    assert (answer.status, header(answer, "Location")) == (303, "/wall")
    assert "正在呼叫您的电话" in text(supervisor.get("/wall"))


def test_a_supervisor_without_a_number_is_told_so_and_nobody_is_rung(house: House) -> None:
    visitor = house.visitor(Role.SUPERVISOR, name="wu")
    answer = visitor.post("/wall/calls/c2/supervise", {"mode": "listen"}, accept="application/json")
    assert (answer.status, json.loads(answer.body)["error"]["key"]) == (409, "wall.no_number")
    assert not [verb for verb, _ in house.operations.acts if verb == "supervision.begin"]


def test_modes_are_switched_and_stopped_by_the_id_of_the_supervision(house: House, supervisor: Visitor) -> None:
    for mode in ("whisper", "barge", "listen"):
        supervisor.post(f"/wall/supervisions/{SUPERVISION}/mode", {"mode": mode})
        assert house.operations.acts[-1] == ("supervision.change", (SUPERVISION, mode, "supervisor:zhou"))
    supervisor.post(f"/wall/supervisions/{SUPERVISION}/stop")
    assert house.operations.acts[-1] == ("supervision.stop", (SUPERVISION, "supervisor:zhou"))
    assert house.audit.acts[-1].about == SUPERVISION


def test_why_a_supervision_is_refused_is_said_in_the_language_of_who_asked(
    house: House, supervisor: Visitor
) -> None:
    busy = OperationRefused("您的电话正在通话或振铃。", "supervision.phone_busy")
    house.operations.answers["supervision.begin"] = busy
    for language, words in (("zh", "您的电话正在通话"), ("en", "Your phone is in a call")):
        answer = supervisor.post(
            f"/wall/calls/c2/supervise?lang={language}", {"mode": "listen"}, accept="application/json"
        )
        assert answer.status == 409
        assert words in json.loads(answer.body)["error"]["text"]


def test_only_who_is_in_the_call_has_the_buttons_of_his_supervision(house: House, supervisor: Visitor) -> None:
    mine = text(supervisor.get("/wall")).split("<template")[0]
    assert f"/wall/supervisions/{SUPERVISION}/stop" in mine
    other = text(house.visitor(Role.SUPERVISOR, name="wu").get("/wall")).split("<template")[0]
    assert SUPERVISION not in other
    assert "督办监听中" in other


# -- words ------------------------------------------------------------------------------------------------------------


def test_every_step_of_a_flow_has_a_stage_with_words() -> None:
    stages = {stage_of_step(step).value for step in CallStep if not step.is_of_seat}
    assert len(stages) > 10
    assert stages <= set(STAGES)


def test_every_reason_state_and_refusal_has_words_in_each_language() -> None:
    keys = [why.value for why in NotOffered] + [f"wall.trunk.{state.value}" for state in RegistrationState]
    keys += [f"refused.{why.value}" for why in Refusal if not why.value.startswith("check.")]
    texts = Texts()
    for language in LANGUAGES:
        assert set(keys) <= texts.keys(language)
