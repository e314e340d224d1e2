"""The unit's inbox: its own orders and nothing else, what presses first, and every act under its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderState
from console.http.events import Viewer
from console.http.jobs import Jobs
from console.people.roles import Role
from console.site import WebConsole
from ivr.refused import OperationRefused
from node.operations.happenings import Topic
from tests.fakes.operations import MORNING, FakeOperations
from tests.fakes.orders import an_order
from tests.web.visitors import NOON, FakeShelf, House, Visitor, header, text


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def clerk(house: House) -> Visitor:
    return house.visitor(Role.UNIT, name="李四", unit_id="tax", number="6111")


def put(house: House, order_id: str, **changes: Any) -> Order:
    """Let there be an order of the tax unit, due in two hours."""
    due = changes.pop("due_at", MORNING + timedelta(hours=2))
    usual: dict[str, Any] = {"order_id": order_id, "unit_id": "tax", "state": OrderState.SENT, "company": "长宁纸业"}
    order = an_order(callback_number="13812345678", **usual | changes)
    order = replace(order, deadline=replace(order.deadline, due_at=due))
    house.operations.orders_there[order_id] = order
    return order


def numbers(page: str) -> list[str]:
    """Return the order numbers of the list of what is owed, from top to bottom."""
    owed = page.partition('<ol class="owed">')[2].partition("</ol>")[0]
    return [part.partition("<")[0] for part in owed.split('class="owed-number">')[1:]]


def test_the_inbox_has_own_orders_only_the_earliest_deadline_first(house: House, clerk: Visitor) -> None:
    put(house, "1", due_at=MORNING + timedelta(hours=1))
    put(house, "2", due_at=MORNING - timedelta(minutes=5))
    put(house, "3", unit_id="market", company="别家公司")
    put(house, "4", state=OrderState.RETURNED, due_at=MORNING - timedelta(hours=9))
    put(house, "5", state=OrderState.REACHED)
    page = text(clerk.get("/unit"))
    assert numbers(page) == ["2", "1", "4"]
    assert "别家公司" not in page
    assert "/unit/orders/5" in page
    assert page.index("/unit/orders/1") < page.index("/unit/orders/5")


def test_no_number_is_whole_in_the_inbox_or_on_the_order(house: House, clerk: Visitor) -> None:
    put(house, "1")
    for path in ("/unit", "/unit/orders/1"):
        page = text(clerk.get(path))
        assert "138****5678" in page
        assert "13812345678" not in page


def test_a_whole_number_is_shown_for_a_reason_that_is_in_the_audit_log(house: House, clerk: Visitor) -> None:
    put(house, "1")
    assert clerk.post("/unit/orders/1/number", {"why": " "}).status == 400
    assert "13812345678" in text(clerk.post("/unit/orders/1/number", {"why": "系统回电打不通"}))
    act = house.audit.acts[-1]
    assert (act.who, act.about, act.why) == ("unit:tax:李四", "1", "系统回电打不通")


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("acknowledge", {}), ("ring-back", {}), ("give-back", {"why": "x"}), ("self-report", {"text": "x"}),
        ("answer", {"text": "x"}), ("number", {"why": "x"}),
    ],
)  # fmt: skip
def test_an_order_of_another_unit_is_as_if_it_were_not_there(
    house: House, clerk: Visitor, act: str, form: dict[str, str]
) -> None:
    put(house, "3", unit_id="market", message_path="a.wav")
    assert clerk.get("/unit/orders/3").status == clerk.get("/unit/orders/3/now").status == 404
    assert clerk.post(f"/unit/orders/3/{act}", form).status == 404
    assert house.operations.acts == []
    assert clerk.get("/unit/orders/none").status == 404


def test_an_order_that_was_passed_on_is_gone_for_the_unit_before(house: House, clerk: Visitor) -> None:
    put(house, "3", unit_id="market", units_before=("tax",))
    assert clerk.get("/unit/orders/3").status == 404
    assert "/unit/orders/3" not in text(clerk.get("/unit"))


def the_talk(house: House, tmp_path: Path, unit_id: str) -> None:
    """Let there be an order that came from the market unit, with a recorded talk of `unit_id`."""
    evidence = Evidence(call_id="c9", unit_number="6101", recording="talk.wav")
    attempt = Attempt(
        attempt_id="1-a1", begun_at=MORNING, by="unit", number="13812345678", evidence=evidence,
        outcome=AttemptOutcome.TALK_TOO_SHORT,
    )  # fmt: skip
    put(house, "1", units_before=("market",), attempts=(attempt,), message_path="message.wav")
    house.operations.calls_there = [
        {"call_id": "c9", "unit_id": unit_id, "order_ids": ["1"], "recordings_cut": ["talk.wav"]}
    ]
    for name in ("talk.wav", "message.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
        house.operations.recordings_there[name] = tmp_path / name


def test_the_message_can_be_heard_and_a_talk_of_the_unit_before_cannot(
    house: House, clerk: Visitor, tmp_path: Path
) -> None:
    the_talk(house, tmp_path, "market")
    page = text(clerk.get("/unit/orders/1"))
    assert page.count("<audio") == 1
    assert "录音不完整" not in page
    assert "通话不足10秒" not in page
    key = page.partition("/recordings/")[2].partition('"')[0]
    assert clerk.get(f"/unit/orders/1/recordings/{key}").stream is not None
    the_talk(house, tmp_path, "tax")
    own = text(clerk.get("/unit/orders/1"))
    assert own.count("<audio") == 2
    assert own.count("录音不完整") == 1
    talk = own.split("/recordings/")[2].partition('"')[0]
    assert clerk.get(f"/unit/orders/1/recordings/{talk}").stream is not None
    the_talk(house, tmp_path, "market")
    assert clerk.get(f"/unit/orders/1/recordings/{talk}").status == 404


@pytest.mark.parametrize(
    ("act", "form", "noted"),
    [
        ("acknowledge", {}, ("orders.acknowledge", ("1", "unit:tax:李四"))),
        ("ring-back", {}, ("orders.ring_back", ("1", "6111", "unit:tax:李四", "6111"))),
        ("ring-back", {"number": "6113"}, ("orders.ring_back", ("1", "6113", "unit:tax:李四", "6111"))),
        ("give-back", {"why": "不是本局职责"}, ("orders.give_back", ("1", "不是本局职责", "unit:tax:李四"))),
        ("self-report", {"text": "手机已联系"}, ("orders.self_report", ("1", "手机已联系", "unit:tax:李四"))),
        ("answer", {"text": "可网上办理"}, ("orders.write_answer", ("1", "可网上办理", "unit:tax:李四"))),
    ],
)
def test_each_act_is_done_under_the_name_of_who_clicked_and_audited(
    house: House, clerk: Visitor, act: str, form: dict[str, str], noted: tuple[str, tuple[str, ...]]
) -> None:
    put(house, "1")
    answer = clerk.post(f"/unit/orders/1/{act}", form)
    assert answer.status == 303
    assert header(answer, "location").startswith("/unit")
    assert house.operations.acts == [noted]
    assert house.audit.acts[-1].about == "1"
    assert house.audit.acts[-1].who == "unit:tax:李四"


def test_nothing_is_given_back_or_reported_without_words(house: House, clerk: Visitor) -> None:
    put(house, "1")
    for act in ("give-back", "self-report", "answer"):
        assert clerk.post(f"/unit/orders/1/{act}", {"why": " ", "text": " "}).status == 400
    assert house.operations.acts == []


def test_a_click_that_is_refused_says_why_and_an_account_without_phone_is_asked_for_one(house: House) -> None:
    put(house, "1")
    without = house.visitor(Role.UNIT, name="王五", unit_id="tax")
    assert without.post("/unit/orders/1/ring-back").status == 409
    assert house.operations.acts == []
    assert "6113" in text(without.get("/unit/orders/1")), "it may choose one of its unit's phones"
    house.operations.answers["orders.ring_back"] = OperationRefused("企业正在与热线通话。", "order.enterprise_busy")
    refused = without.post("/unit/orders/1/ring-back", {"number": "6113"})
    assert refused.status == 409
    assert "企业正在与热线通话" in text(refused)


def test_the_one_act_of_a_row_is_to_ring_when_time_presses_and_to_acknowledge_when_there_is_time(
    house: House, clerk: Visitor
) -> None:
    put(house, "1", due_at=MORNING + timedelta(hours=20))
    assert "/unit/orders/1/acknowledge" in text(clerk.get("/unit/now"))
    put(house, "1", due_at=MORNING + timedelta(minutes=50))
    page = text(clerk.get("/unit/now"))
    assert "/unit/orders/1/ring-back" in page
    assert "/unit/orders/1/acknowledge" not in page


def test_the_page_shows_where_the_call_is_step_by_step(house: House, clerk: Visitor) -> None:
    put(house, "1", state=OrderState.CALLING_BACK)
    for stage, words in (("unit", "您的电话正在振铃"), ("unit_decides", "请按1确认"), ("enterprise", "正在呼叫企业")):
        house.operations.status_now["calls"] = [{"orders": ["1"], "stage": stage}]
        assert words in text(clerk.get("/unit/orders/1/now"))
    assert "/unit/orders/1/ring-back" not in text(clerk.get("/unit/orders/1"))


def test_what_an_enterprise_says_is_text_and_never_markup(house: House, clerk: Visitor) -> None:
    put(house, "1", company="<script>alert(1)</script>", written_request="<img src=x onerror=alert(1)>")
    for path in ("/unit", "/unit/orders/1"):
        assert "<script>alert" not in text(clerk.get(path))
    assert "<img src=x" not in text(clerk.get("/unit/orders/1"))
    assert "&lt;img src=x" in text(clerk.get("/unit/orders/1"))


def test_an_empty_inbox_says_so(clerk: Visitor) -> None:
    assert "没有待回电的工单" in text(clerk.get("/unit"))


# -- people and numbers -----------------------------------------------------------------------------------------------


def test_a_unit_sees_its_own_people_and_nobody_elses(clerk: Visitor) -> None:
    page = text(clerk.get("/unit/people"))
    assert "6111" in page
    assert "6119" in page
    assert "6101" not in page


def test_a_check_of_numbers_is_begun_for_the_own_unit_and_its_results_stand_beside_the_numbers(
    house: House, clerk: Visitor
) -> None:
    assert clerk.post("/unit/people/check", {"unit_id": "market"}).status == 303
    assert ("number_check.run", ("tax", "unit:tax:李四")) in house.operations.acts
    results = [{"number": "6112", "result": "wrong_number", "seconds": 0.0}]
    last = {"at": MORNING.isoformat(), "who": "unit:tax:李四", "numbers": 3, "results": results, "is_running": True}
    house.operations.answers["number_check.last"] = last
    page = text(clerk.get("/unit/people/now"))
    assert "空号" in page
    assert "已完成1/3个号码" in page


def test_a_check_at_night_is_refused_with_the_reason(
    house: House, clerk: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = OperationRefused("号码检查只能在工作日8点至18点进行。", "check.not_now")

    async def too_late(unit_id: str, who: str) -> None:
        raise refusal

    monkeypatch.setattr(house.operations.number_check, "run", too_late)
    answer = clerk.post("/unit/people/check")
    assert answer.status == 409
    assert "工作日8点至18点" in text(answer)


def test_a_wish_for_a_change_comes_to_the_administrator(house: House, clerk: Visitor) -> None:
    assert clerk.post("/unit/people/propose", {"text": "窗口二改为6114"}).status == 303
    assert clerk.post("/unit/people/propose", {"text": "x" * 1001}).status == 400
    page = text(house.visitor(Role.ADMIN).get("/admin/directory"))
    assert "窗口二改为6114" in page
    assert "xxxx" not in page
    assert "区税务局" in page
    assert "提出了1条" in text(house.visitor(Role.ADMIN).get("/admin"))
    house.operations.answers["site.changes.latest"] = [
        {"at": NOON.isoformat(), "what": "directory", "file": "units.yaml", "who": "admin:chen", "why": "窗口二",
         "is_undo": False, "version_before": "", "version_after": "1"}
    ]  # fmt: skip
    assert "提出了" not in text(house.visitor(Role.ADMIN).get("/admin")), "the directory was changed since"


def test_a_job_that_fails_at_once_is_raised_and_one_that_fails_later_is_kept() -> None:
    async def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        Jobs().begin("a", fail())

    async def answer() -> int:
        return 7

    jobs = Jobs()
    job = jobs.begin("b", answer())
    assert (job.is_running, job.result) == (False, 7)
    assert jobs.last("b") is job


class Listener:
    """A browser that listens."""

    def __init__(self) -> None:
        self.heard = ""

    def write(self, text: bytes) -> None:
        self.heard += text.decode()

    def close(self) -> None:
        """Nothing to close."""


def test_a_unit_hears_where_its_own_callbacks_are_without_a_number_and_nothing_of_other_calls(tmp_path: Path) -> None:
    operations, time = FakeOperations(), VirtualTime()
    settings = operations.settings.model_copy(update={"data_dir": tmp_path})
    web = WebConsole(operations, FakeShelf(), settings, time)
    tax, market = Listener(), Listener()
    for listener, unit_id in ((tax, "tax"), (market, "market")):
        web.console.events.join(listener, frozenset({"call", "callback"}), Viewer(Role.UNIT, unit_id))
    call = {"call_id": "c1", "caller": "138****5678", "stage": "enterprise", "orders": ["1"], "unit_id": "tax"}
    web.hear(Topic.CALL, call | {"direction": "callback", "what": "step"})
    web.hear(Topic.CALL, call | {"direction": "in", "what": "step", "orders": ["2"]})
    time.advance(1.0)
    assert '"orders": ["1"]' in tax.heard
    assert '"stage": "enterprise"' in tax.heard
    assert "5678" not in tax.heard
    assert '["2"]' not in tax.heard
    assert "event: call\n" not in tax.heard + market.heard
    assert "event: callback" not in market.heard


def test_a_bound_on_dialling_is_told_beside_the_button_and_a_unit_is_given_no_way_round_it(
    house: House, clerk: Visitor
) -> None:
    put(house, "1")
    house.operations.answers["orders.ring_back"] = OperationRefused("刚刚拨打过，请40秒后再试。", "dial.pause")
    refused = clerk.post("/unit/orders/1/ring-back")
    assert refused.status == 409
    button = text(refused).partition('id="ring-back"')[2]
    assert "刚刚拨打过，请40秒后再试。" in button.partition("</form>")[0]
    assert "Somebody was rung a moment ago." in text(clerk.post("/unit/orders/1/ring-back?lang=en"))
    assert 'name="overrule"' not in text(refused)


def test_a_number_another_caller_left_and_an_order_that_waits_for_a_person_are_marked(
    house: House, clerk: Visitor
) -> None:
    put(house, "1", caller_number="13812345678")
    assert "非来电号码" not in text(clerk.get("/unit"))
    put(house, "2", caller_number="13500000001")
    put(house, "3", caller_number="13500000001", hold_reason="other_numbers_of_caller")
    page = text(clerk.get("/unit"))
    assert (page.count("非来电号码"), page.count("待人工核对")) == (2, 1)
    assert "一小时内多次留下他人的号码" in text(clerk.get("/unit/orders/3"))


def test_a_unit_reads_all_that_was_asked_and_enters_who_asked(house: House, clerk: Visitor) -> None:
    order = put(house, "26031010007", company="", written_request="第二次", written_requests=("第一次", "第二次"))
    page = text(clerk.get(f"/unit/orders/{order.order_id}"))
    assert page.index("第一次") < page.index("第二次")
    sent = clerk.post(f"/unit/orders/{order.order_id}/enterprise", {"company": "长宁纸业", "contact": "王经理"})
    assert sent.status == 303
    (act,) = [act for act in house.operations.acts if act[0] == "orders.name_enterprise"]
    assert act[1][:3] == (order.order_id, "长宁纸业", "王经理")


def test_a_name_that_is_shown_with_a_number_masked_is_kept_whole_when_the_form_comes_back(
    house: House, clerk: Visitor
) -> None:
    order = put(house, "26031010007", company="纸业 13800001234", contact="王经理")
    page = text(clerk.get(f"/unit/orders/{order.order_id}"))
    assert 'value="纸业 138****1234"' in page
    path = f"/unit/orders/{order.order_id}/enterprise"
    clerk.post(path, {"company": "纸业 138****1234", "contact": "王经理"})
    clerk.post(path, {"company": "纸业 138****1234", "contact": "李经理"})
    (act,) = [act for act in house.operations.acts if act[0] == "orders.name_enterprise"]
    assert act[1][:3] == (order.order_id, "", "李经理")
