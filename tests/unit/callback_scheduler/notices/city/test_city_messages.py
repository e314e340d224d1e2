"""Messages to the city's platform: its own field names, the same bytes for the same event, and as documented."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.notices.city import messages as city_platform
from callback_scheduler.notices.city.messages import CityMessages
from callback_scheduler.notices.city.reports import STATUSES
from callback_scheduler.orders import words as notice_words
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.fields import CHANGEABLE, attempt_fields, to_payload
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, OrderDraft, OrderKind
from callback_scheduler.orders.states import OrderEvent, OrderState
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.directory import Directory, Unit

AT = datetime(2026, 3, 3, 20, 0, tzinfo=SHANGHAI)
DOCS = (Path(__file__).parents[5] / "docs" / "city-platform.md").read_text(encoding="utf-8")
DIRECTORY = Directory((), (Unit("tax", "区税务局", ()),))
DRAFT = OrderDraft(
    call_id="c1", kind=OrderKind.AFTER_HOURS, opened_at=AT, caller_number="13800000001",
    callback_number="13800000002", matter_id="vat", unit_id="tax", company="长宁某公司", key_path="2",
    message_path="recordings/m.wav", deadline=deadline(Calendar(), AT, missed_in_hours=False),
)  # fmt: skip


def message(event_type: str, payload: dict[str, Any], phone_numbers: Any = "masked") -> dict[str, Any]:
    event = JournalEvent("e1", event_type, AT.astimezone(timezone.utc), json.loads(json.dumps(payload)))
    return CityMessages(DIRECTORY, phone_numbers).message((17, event))


def test_a_new_order_has_the_citys_fields() -> None:
    sent = message("order_opened", to_payload(DRAFT, "26030310001"))
    assert (sent["消息类型"], sent["消息编号"], sent["消息序号"]) == ("新建", "e1", 17)
    assert sent["工单编号"] == "26030310001"
    fields = sent["字段"]
    assert fields["来电时间"] == "2026-03-03T20:00:00+08:00"
    assert fields["办理截止时间"] == "2026-03-04T10:00:00+08:00"
    assert (fields["来电号码"], fields["联系电话"]) == ("138****0001", "138****0002")
    assert (fields["承办单位"], fields["承办单位编码"]) == ("区税务局", "tax")
    assert (fields["紧急程度"], fields["留言录音"], fields["是否暂定"]) == ("次紧急", "m.wav", False)
    assert message("order_opened", to_payload(DRAFT, "1"), "full")["字段"]["联系电话"] == "13800000002"


def test_a_repeated_call_names_the_order_that_took_it_up() -> None:
    sent = message("order_opened", to_payload(DRAFT, "26030310002") | {"merged_into": "26030310001"})
    assert (sent["消息类型"], sent["并入工单编号"]) == ("并单", "26030310001")


def test_a_change_carries_states_and_what_changed_and_nothing_else() -> None:
    changes = {"unit_id": "tax", "sent_at": AT.isoformat(), "acknowledged_at": None, "steps_done": ["x"]}
    sent = message("order_changed", {
        "order_id": "1", "event": "reassigned", "who": "city:李", "why": "不归我们", "state_from": "returned",
        "state_to": "sent", "is_open": True, "changes": changes,
    })  # fmt: skip
    assert (sent["事件"], sent["原状态"], sent["现状态"]) == ("改派", "已退单", "已派单")
    assert (sent["经办人"], sent["说明"]) == ("city:李", "不归我们")
    assert sent["字段"] == {
        "派单时间": "2026-03-03T20:00:00+08:00", "签收时间": None, "承办单位": "区税务局", "承办单位编码": "tax",
    }


def test_an_attempt_is_told_with_its_evidence() -> None:
    evidence = Evidence(
        call_id="c", unit_number="6101", accepted_at=AT, enterprise_answered_at=AT, talk_began_at=AT, two_way_s=12.5,
        recording="recordings/t.wav",
    )  # fmt: skip
    attempt = Attempt(
        attempt_id="1-a1", begun_at=AT, by="timetable", number="13800000002", unit_number="6101",
        outcome=AttemptOutcome.REACHED, evidence=evidence,
    )  # fmt: skip
    payload = {"order_id": "1", "note": "attempt_phase", "changes": {}, "attempt": attempt_fields(attempt)}
    told = message("order_noted", payload)["拨打记录"]
    assert (told["结果"], told["双方通话秒数"], told["通话录音"]) == ("接通", 12.5, "t.wav")
    assert (told["企业号码"], told["承办单位号码"]) == ("138****0002", "****1")
    assert told["按键确认时间"] == "2026-03-03T20:00:00+08:00"


def test_the_same_event_gives_the_same_message_whenever_it_is_written() -> None:
    payload = to_payload(DRAFT, "26030310001")
    assert json.dumps(message("order_opened", payload)) == json.dumps(message("order_opened", payload))


def test_every_field_and_word_is_documented() -> None:
    ours = {*city_platform._PLAIN.values(), *city_platform._INSTANTS.values()}
    words = {*STATUSES, *notice_words.STATES.values(), *notice_words.EVENTS.values()}
    assert {word for word in ours | words if word not in DOCS} == set()


def test_every_state_event_and_outcome_has_a_word() -> None:
    assert notice_words.STATES.keys() == {state.value for state in OrderState}
    assert notice_words.EVENTS.keys() == {event.value for event in OrderEvent}
    assert notice_words.OUTCOMES.keys() == {outcome.value for outcome in AttemptOutcome}


def test_every_field_that_can_change_is_told_or_known_to_stay_with_us() -> None:
    stays = {"steps_done", "promised_by", "dial_after", "deadline", "reason", "counted_as", "hold_reason"}
    told = {*city_platform._PLAIN, *city_platform._INSTANTS, "unit_id", "message_path", "messages", "survey_level"}
    assert CHANGEABLE - told == stays


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
def test_the_documented_example_has_the_fields_of_a_real_message(example: str) -> None:
    documented = json.loads(example)
    real = message("order_opened", to_payload(DRAFT, "26030310001"))
    assert documented.keys() == real.keys()
    assert documented["字段"].keys() == real["字段"].keys()
