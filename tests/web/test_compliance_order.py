"""One order in the supervisor's hands: its story and recordings, unmasking for a reason, and every act."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from twisted.web.test.requesthelper import DummyRequest

from callback_scheduler.errors import JournalWriteFailed
from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.states import OrderState
from console.people.roles import Role
from console.supervisor.acts import ACTS
from ivr.refused import OperationRefused
from tests.web.supervised import NOW, Supervised, an_attempt, due_today
from tests.web.visitors import Visitor, header, text


@pytest.fixture
def house() -> Supervised:
    return Supervised()


@pytest.fixture
def supervisor(house: Supervised) -> Visitor:
    return house.visitor(Role.SUPERVISOR)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "message.wav"
    soundfile.write(path, numpy.zeros(16000), 8000)
    return path


def a_call(order_id: str, **fields: Any) -> dict[str, Any]:
    leg = {
        "role": "specialist", "number": "13911112222", "name": "李四", "started_at": NOW.isoformat(),
        "answered_at": (NOW + timedelta(seconds=7)).isoformat(), "accepted_at": None, "ended_at": None,
        "sip_status": 200, "two_way_s": 42.0, "cause": "",
    }  # fmt: skip
    return {
        "call_id": "c1", "order_ids": [order_id], "offered_at": NOW.isoformat(), "answered_at": None, "ended_at": None,
        "direction": "callback", "outcome": "served", "two_way_s": 42.0, "recordings": [], "legs": [leg],
    } | fields  # fmt: skip


def key_in(page: str) -> str:
    found = re.search(r'<audio [^>]*src="[^"]*/recordings/(\w+)"', page)
    assert found
    return found[1]


def test_an_order_tells_its_deadline_its_rule_and_its_story_with_each_leg(
    house: Supervised, supervisor: Visitor
) -> None:
    order = house.put(due_today(attempts=(an_attempt(AttemptOutcome.UNIT_BUSY, NOW),), state=OrderState.NOT_REACHED))
    house.operations.calls_there.append(a_call(order.order_id))
    house.operations.events_there[order.order_id] = [
        {"event_id": "1", "type": "order_changed", "at": NOW.isoformat(),
         "payload": {"event": "returned", "who": "unit:tax:李四", "why": "<i>不归我们</i>", "changes": {}}},
    ]  # fmt: skip
    page = text(supervisor.get(f"/orders/{order.order_id}"))
    assert order.deadline.reason in page
    assert "今天 10:00" in page
    assert "&lt;i&gt;不归我们&lt;/i&gt;" in page
    leg = page[page.index('<table class="legs">') : page.index("</table>", page.index('<table class="legs">'))]
    assert re.findall(r"<td[^>]*>([^<]*)", leg)[:5] == ["09:05:00", "7", "09:05:07", "–", "42"]
    assert "李四" in leg
    assert "13911112222" not in page
    assert order.callback_number not in page


def test_who_did_it_is_named_in_words_and_a_number_among_them_is_masked(
    house: Supervised, supervisor: Visitor
) -> None:
    order = house.put(due_today(acknowledged_by="unit:tax:13911112222", acknowledged_at=NOW))
    page = text(supervisor.get(f"/orders/{order.order_id}"))
    assert "区税务局 139****2222" in page
    assert "13911112222" not in page


def test_an_unknown_order_is_not_found(supervisor: Visitor) -> None:
    assert supervisor.get("/orders/26031019999").status == 404
    assert supervisor.get("/orders/26031019999/act/ring").status == 404


def test_a_merged_number_leads_to_the_order_it_counts_as(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today())
    house.operations.orders_there["26031010099"] = order
    answer = supervisor.get("/orders/26031010099")
    assert (answer.status, header(answer, "Location")) == (303, f"/orders/{order.order_id}")


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_whole_numbers_need_a_reason_and_the_audit_log_has_it(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today())
    path = f"/orders/{order.order_id}/numbers"
    assert supervisor.post(path, {"why": "  "}).status == 400
    page = text(supervisor.post(path, {"why": "核实投诉"}))
    assert order.callback_number in page
    act = house.audit.acts[-1]
    assert (act.about, act.why) == (order.order_id, "核实投诉")
    assert order.callback_number not in text(supervisor.get(f"/orders/{order.order_id}"))


def test_without_an_audit_log_no_number_is_shown(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today())
    house.audit.fails_with = JournalWriteFailed("disk full")
    answer = supervisor.post(f"/orders/{order.order_id}/numbers", {"why": "核实"})
    assert answer.status == 503
    assert order.callback_number not in text(answer)


# -- recordings -------------------------------------------------------------------------------------------------------


def test_a_recording_plays_in_ranges_and_shows_its_waveform(
    house: Supervised, supervisor: Visitor, sound: Path
) -> None:
    order = house.put_recording(due_today(), sound)
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    answer = supervisor.get(f"/orders/{order.order_id}/recordings/{key}")
    assert answer.content_type == "audio/wav"
    asked: Any = DummyRequest([])
    asked.method, asked.setLastModified = b"GET", lambda when: None
    asked.requestHeaders.setRawHeaders(b"range", [b"bytes=0-3"])
    assert answer.stream
    answer.stream(asked)
    assert asked.responseCode == 206
    picture = supervisor.get(f"/orders/{order.order_id}/recordings/{key}/waveform")
    assert picture.content_type == "image/svg+xml"


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_recording_that_lacks_sound_says_so(
    house: Supervised, supervisor: Visitor, sound: Path, is_cut: bool
) -> None:
    order = house.put_recording(due_today(), sound)
    cut = [order.message_path] if is_cut else []
    house.operations.calls_there.append(a_call(order.order_id, recordings=[order.message_path], recordings_cut=cut))
    page = text(supervisor.get(f"/orders/{order.order_id}"))
    assert ("录音不完整" in page) is is_cut


def test_who_plays_a_recording_is_in_the_audit_log_once(house: Supervised, supervisor: Visitor, sound: Path) -> None:
    order = house.put_recording(due_today(), sound)
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    before = len(house.audit.acts)
    for asked in ("bytes=0-", "bytes=4000-", "bytes=8000-9000"):
        supervisor.get(f"/orders/{order.order_id}/recordings/{key}", range=asked)
    (played,) = house.audit.acts[before:]
    assert (played.who, played.about) == ("supervisor:supervisor", f"{order.order_id} message.wav")
    assert played.result.endswith("recording played")


def test_a_recording_is_taken_away_only_for_a_reason(house: Supervised, supervisor: Visitor, sound: Path) -> None:
    order = house.put_recording(due_today(), sound)
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    path = f"/orders/{order.order_id}/recordings/{key}/download"
    assert "审计日志" in text(supervisor.get(path))
    assert supervisor.post(path).status == 400
    answer = supervisor.post(path, {"why": "考核取证"})
    assert header(answer, "Content-Disposition") == 'attachment; filename="message.wav"'
    assert (house.audit.acts[-1].why, house.audit.acts[-1].about) == ("考核取证", f"{order.order_id} message.wav")


def test_a_recording_of_another_order_is_not_found_here(house: Supervised, supervisor: Visitor, sound: Path) -> None:
    order, other = house.put_recording(due_today(), sound), house.put(due_today())
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    for path in ("", "/waveform", "/download"):
        assert supervisor.get(f"/orders/{other.order_id}/recordings/{key}{path}").status == 404


def test_a_recording_that_is_gone_is_refused_in_words(house: Supervised, supervisor: Visitor, sound: Path) -> None:
    order = house.put_recording(due_today(), sound)
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    house.operations.recordings_there.clear()
    answer = supervisor.get(f"/orders/{order.order_id}/recordings/{key}")
    assert answer.status == 409
    assert "录音已不存在" in text(answer)


def test_a_file_without_sound_has_no_waveform(house: Supervised, supervisor: Visitor, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    order = house.put_recording(due_today(), broken)
    key = key_in(text(supervisor.get(f"/orders/{order.order_id}")))
    assert supervisor.get(f"/orders/{order.order_id}/recordings/{key}/waveform").status == 404


# -- acts -------------------------------------------------------------------------------------------------------------

FORMS = {
    "ring": ("ring_unit_now", {}, ()),
    "remind": ("remind_leader", {}, ()),
    "reassign": ("reassign", {"unit_id": "market", "why": "属市场监管"}, ("market", "属市场监管")),
    "acknowledge": ("acknowledge", {}, ()),
    "number": ("set_number", {"number": "021-62345678", "why": "名片上的号码"}, ("021-62345678", "名片上的号码")),
    "answer": ("write_answer", {"why": "请到窗口办理。"}, ("请到窗口办理。",)),
    "close": ("close", {"why": "重复件"}, ("重复件",)),
    "rejudge": ("rejudge", {"why": "补发放假通知"}, ("补发放假通知",)),
    "reopen": ("reopen", {"why": "企业再次反映"}, ("企业再次反映",)),
}


def test_every_act_is_tried_here() -> None:
    assert FORMS.keys() == ACTS.keys()


@pytest.mark.parametrize("name", FORMS)
def test_an_act_is_confirmed_then_done_by_the_operation_of_its_name(
    house: Supervised, supervisor: Visitor, name: str
) -> None:
    verb, form, arguments = FORMS[name]
    order = house.put(due_today(
        state=OrderState.CLOSED if name == "reopen" else OrderState.SENT,
        overdue_at=NOW if name == "rejudge" else None,
    ))  # fmt: skip
    house.operations.answers[f"orders.{verb}"] = order
    path = f"/orders/{order.order_id}/act/{name}"
    assert '<form method="post"' in text(supervisor.get(path))
    assert not house.operations.acts
    answer = supervisor.post(path, form | {"back": "compliance"})
    assert (answer.status, header(answer, "Location")) == (303, "/compliance")
    assert house.operations.acts == [(f"orders.{verb}", (order.order_id, *arguments, "supervisor:supervisor"))]
    assert house.audit.acts[-1].about == f"{order.order_id} {name}"
    assert house.audit.acts[-1].why == form.get("why", "")
    assert order.order_id in text(supervisor.get("/compliance"))


@pytest.mark.parametrize("name", [name for name, act in ACTS.items() if act.needs_why])
def test_an_act_without_its_reason_is_not_done(house: Supervised, supervisor: Visitor, name: str) -> None:
    order = house.put(due_today(state=OrderState.CLOSED if name == "reopen" else OrderState.SENT))
    assert supervisor.post(f"/orders/{order.order_id}/act/{name}", {"unit_id": "market", "why": " "}).status == 400
    assert not house.operations.acts


def test_what_the_node_refuses_is_told_in_its_words(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today())
    house.operations.answers["orders.ring_unit_now"] = OperationRefused("该单位的电话都在通话中。", "unit.busy")
    answer = supervisor.post(f"/orders/{order.order_id}/act/ring")
    assert answer.status == 409
    assert "该单位的电话都在通话中。" in text(answer)
    by_script = supervisor.post(f"/orders/{order.order_id}/act/ring", accept="application/json")
    assert "该单位的电话都在通话中。" in text(by_script)
    in_english = supervisor.post(f"/orders/{order.order_id}/act/ring?lang=en")
    assert "All phones of the unit are busy." in text(in_english)


def test_a_bound_on_dialling_is_told_at_the_field_of_the_reason_that_overrules_it(
    house: Supervised, supervisor: Visitor
) -> None:
    order = house.put(due_today())
    path = f"/orders/{order.order_id}/act/ring"
    assert 'name="why"' in text(supervisor.get(path))
    house.operations.answers["orders.ring_unit_now"] = OperationRefused("现在不是拨打时段。", "dial.hours")
    answer = supervisor.post(path)
    assert answer.status == 409
    assert "现在不是拨打时段。" in text(answer).partition('name="why"')[2]
    assert house.audit.acts[-1].result == "409 refused.dial.hours"
    assert "Nobody is rung at this hour." in text(supervisor.post(f"{path}?lang=en"))
    house.operations.answers["orders.ring_unit_now"] = order
    assert supervisor.post(path, {"why": "企业要求今晚回电"}).status == 303
    assert house.operations.acts[-1][1] == (order.order_id, "supervisor:supervisor", "企业要求今晚回电")
    assert house.audit.acts[-1].why == "企业要求今晚回电"


def test_what_the_state_does_not_allow_is_said_before_anything_is_typed(
    house: Supervised, supervisor: Visitor
) -> None:
    order = house.put(due_today(state=OrderState.CALLING_BACK))
    page = text(supervisor.get(f"/orders/{order.order_id}/act/close"))
    assert "工单回电中，现在不能“办结”" in page
    assert '<form method="post" action="/orders' not in page
    assert f"/orders/{order.order_id}/act/close" not in text(supervisor.get(f"/orders/{order.order_id}"))


def test_the_best_act_stands_first_on_the_order(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today(state=OrderState.RETURNED, return_reason="不归我们"))
    page = text(supervisor.get(f"/orders/{order.order_id}"))
    first = re.search(r'class="button" data-act href="([^"]+)"', page)
    assert first
    assert first[1].endswith("/act/reassign")


def test_there_is_no_other_act(house: Supervised, supervisor: Visitor) -> None:
    order = house.put(due_today())
    assert supervisor.get(f"/orders/{order.order_id}/act/delete").status == 404
    assert supervisor.post(f"/orders/{order.order_id}/act/delete").status == 404


@pytest.mark.parametrize("role", [Role.UNIT, Role.SEAT, Role.ADMIN])
def test_orders_numbers_and_recordings_are_supervisors_only(house: Supervised, role: Role, sound: Path) -> None:
    order = house.put_recording(replace(due_today(), unit_id="tax"), sound)
    visitor = house.visitor(role)
    for path in ("", "/numbers", "/act/ring", "/recordings/x", "/recordings/x/download"):
        assert visitor.get(f"/orders/{order.order_id}{path}").status == 403
    assert visitor.post(f"/orders/{order.order_id}/numbers", {"why": "x"}).status == 403


def test_what_the_seat_wrote_and_every_text_of_the_enterprise_are_read_on_the_order(
    house: Supervised, supervisor: Visitor
) -> None:
    order = house.put(due_today(written_requests=("第一次", "第二次"), company="长宁纸业", contact="王经理"))
    note = {"call_id": "c1", "text": "企业要求书面答复", "at": NOW, "who": "seat:王"}
    house.operations.answers["seats.wrap_ups_of"] = {"c1": [note]}
    page = text(supervisor.get(f"/orders/{order.order_id}"))
    assert page.index("第一次") < page.index("第二次")
    assert "企业要求书面答复" in page
    assert "长宁纸业 · 王经理" in page
