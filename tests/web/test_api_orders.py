"""Orders and calls by the API: pages, filters, numbers, units, acts that are done once."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from callback_scheduler.errors import StoreUnavailable
from console.errors import Impossible, Unavailable
from console.http.messages import Response
from ivr.refused import OperationRefused
from tests.fakes.operations import MORNING
from tests.web.api_programs import Program, key_of, told
from tests.web.api_sample import PHONE, UNIT_PHONE, call_records, just_offered, orders_of_a_day, running
from tests.web.visitors import House, finished, header

ACTS = {
    "acknowledge": (None, "orders.acknowledge", ()),
    "ring-now": (None, "orders.ring_unit_now", ()),
    "ring-back": ({"number": UNIT_PHONE}, "orders.ring_back", (UNIT_PHONE,)),
    "return": ({"why": "不归我们"}, "orders.give_back", ("不归我们",)),
    "self-report": ({"text": "已联系"}, "orders.self_report", ("已联系",)),
    "answer": ({"text": "请带执照"}, "orders.write_answer", ("请带执照",)),
    "reassign": ({"unit_id": "market", "why": "改派"}, "orders.reassign", ("market", "改派")),
    "enterprise": ({"company": "长宁纸业", "contact": "王"}, "orders.name_enterprise", ("长宁纸业", "王")),
    "close": ({"why": "重复"}, "orders.close", ("重复",)),
    "reopen": ({"why": "未解决"}, "orders.reopen", ("未解决",)),
    "remind-leader": (None, "orders.remind_leader", ()),
}
FOR_UNITS = {"acknowledge", "ring-back", "return", "self-report", "answer", "enterprise"}


@pytest.fixture
def house() -> House:
    """A console with 60 orders of three units, two of them opened in each minute, and 60 calls."""
    made = House()
    made.operations.orders_there = {order.order_id: order for order in orders_of_a_day(MORNING, 60)}
    made.operations.calls_there = call_records(MORNING, 60)
    return made


def first_of(house: House, unit_id: str) -> str:
    return next(one.order_id for one in house.operations.orders_there.values() if one.unit_id == unit_id)


@pytest.mark.parametrize(("path", "field", "name"), [("orders", "orders", "order_id"), ("calls", "calls", "call_id")])
def test_pages_hold_everything_once_and_in_order_also_when_something_comes_meanwhile(
    house: House, path: str, field: str, name: str
) -> None:
    program, seen, cursor = Program(house), [], ""
    there = sorted(house.operations.orders_there) if path == "orders" else [
        call["call_id"] for call in house.operations.calls_there
    ]  # fmt: skip
    for turn in range(20):
        page = told(program.get(f"/api/v1/{path}?limit=7{cursor}"))
        seen += [one[name] for one in page[field]]
        if turn == 2:
            house.operations.calls_there[:0] = call_records(MORNING.replace(hour=12), 3)
            newest = orders_of_a_day(MORNING.replace(hour=12), 1)[0]
            house.operations.orders_there["26031019x"] = newest
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 60
    assert sorted(seen) == sorted(there)
    opened = [one[-4:] for one in seen] if path == "orders" else seen
    assert opened == sorted(opened, reverse=True)


def test_filters_narrow_and_unknown_ones_are_refused(house: House) -> None:
    program = Program(house)
    found = told(program.get("/api/v1/orders?unit=tax&state=sent,closed&limit=200"))["orders"]
    assert {(one["unit_id"], one["state"]) for one in found} == {("tax", "sent"), ("tax", "closed")}
    early = told(program.get("/api/v1/orders?until=2026-03-10T08:45:00%2B08:00&limit=200"))["orders"]
    assert 0 < len(early) < 60
    assert told(program.get("/api/v1/orders?phone=13900000000"))["orders"] == []
    for wrong in ("unti=tax", "state=asleep", "limit=0", "limit=201", "limit=", "limit=1&limit=2", "since=yesterday",
                  "since=2026-03-10T09:00", "until=17"):  # fmt: skip
        assert key_of(program.get(f"/api/v1/orders?{wrong}")) == (422, "error.422"), wrong
    assert key_of(program.get("/api/v1/orders?cursor=26010110001")) == (404, "api.cursor")


def test_numbers_are_masked_wherever_they_stand_and_whole_ones_are_in_the_audit_log(house: House) -> None:
    order_id = first_of(house, "tax")
    house.operations.events_there[order_id] = [
        {"event_id": "e", "at": MORNING.isoformat(), "type": "order_changed",
         "payload": {"event": "returned", "who": "unit:tax:李四", "why": f"请打 {PHONE}，见工单26031010007"}},
    ]  # fmt: skip
    call_id = house.operations.calls_there[0]["call_id"]
    paths = ("/api/v1/orders", f"/api/v1/orders/{order_id}", "/api/v1/calls", f"/api/v1/calls/{call_id}")
    masking, seeing = Program(house), Program(house, ("orders:read", "calls:read", "numbers:full"), name="full")
    for path in paths:
        shown = masking.get(path).body.decode()
        assert PHONE not in shown, path
        assert UNIT_PHONE not in shown, path
        assert "138****1234" in shown, path
    assert not house.audit.acts
    assert "26031010007" in masking.get(paths[1]).body.decode()
    for path in paths:
        assert PHONE in seeing.get(path).body.decode(), path
    noted = ["orders.orders", "orders.one_order", "calls.calls", "calls.one_call"]
    assert [act.what for act in house.audit.acts] == noted
    assert {act.who for act in house.audit.acts} == {"api:full"}


def test_whole_numbers_are_not_sent_if_the_audit_log_cannot_have_it(house: House) -> None:
    house.audit.fails_with = Unavailable()
    seeing = Program(house, ("orders:read", "numbers:full"), name="full")
    assert seeing.get("/api/v1/orders").status == 503


def test_a_token_of_a_unit_sees_its_own_only(house: House) -> None:
    tax, others = Program(house, unit_id="tax"), first_of(house, "market")
    assert {one["unit_id"] for one in told(tax.get("/api/v1/orders?limit=200"))["orders"]} == {"tax"}
    assert key_of(tax.get("/api/v1/orders?unit=market")) == (403, "api.other_unit")
    assert key_of(tax.get(f"/api/v1/orders/{others}")) == (404, "api.no_order")
    assert key_of(tax.get(f"/api/v1/online-requests/{others}")) == (404, "api.no_order")
    assert key_of(tax.get("/api/v1/reports?unit=market")) == (403, "api.other_unit")
    assert {one["unit_id"] for one in told(tax.get("/api/v1/calls?limit=200"))["calls"]} == {"tax"}
    foreign = next(one["call_id"] for one in house.operations.calls_there if one["unit_id"] == "market")
    assert key_of(tax.get(f"/api/v1/calls/{foreign}")) == (404, "api.no_call")
    house.operations.status_now["calls"] = [running(), running("x", "market")]
    assert [one["unit_id"] for one in told(tax.get("/api/v1/calls/running"))["calls"]] == ["tax"]
    assert len(told(Program(house, name="all").get("/api/v1/calls/running"))["calls"]) == 2
    for act, (body, _, _) in ACTS.items():
        refused = key_of(tax.post(f"/api/v1/orders/{others}/{act}", body))
        assert refused == ((404, "api.no_order") if act in FOR_UNITS else (403, "api.not_for_units")), act
    assert house.operations.acts == []


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_done_as_who_asks_and_answers_with_the_order(house: House, act: str) -> None:
    body, verb, arguments = ACTS[act]
    order_id = first_of(house, "tax")
    answer = Program(house).post(f"/api/v1/orders/{order_id}/{act}", body)
    assert (answer.status, told(answer)["order_id"]) == (200, order_id)
    assert house.operations.acts == [(verb, (order_id, *arguments, "api:chat"))]
    assert (house.audit.acts[-1].who, house.audit.acts[-1].about) == ("api:chat", order_id)
    if act in FOR_UNITS:
        assert Program(house, unit_id="tax", name="t").post(f"/api/v1/orders/{order_id}/{act}", body).status == 200
        assert house.operations.acts[-1] == (verb, (order_id, *arguments, "unit:tax:api:t"))


def test_the_same_key_acts_once_and_answers_the_same(house: House) -> None:
    program, path = Program(house), f"/api/v1/orders/{first_of(house, 'tax')}/close"
    first = program.post(path, {"why": "重复"}, key="the-same-key")
    again = program.post(path, {"why": "重复"}, key="the-same-key")
    assert (again.status, again.body) == (first.status, first.body)
    assert (header(first, "Idempotency-Replayed"), header(again, "Idempotency-Replayed")) == ("", "true")
    assert len(house.operations.acts) == 1
    assert key_of(program.post(path, {"why": "别的"}, key="the-same-key")) == (409, "api.key_used")
    elsewhere = path.replace("close", "reopen")
    assert key_of(program.post(elsewhere, {"why": "重复"}, key="the-same-key")) == (409, "api.key_used")
    assert len(house.operations.acts) == 1
    assert Program(house, name="other").post(path, {"why": "重复"}, key="the-same-key").status == 200
    assert len(house.operations.acts) == 2, "the key of one program is nothing to another"


def test_a_refused_act_may_be_tried_again_with_its_key(house: House) -> None:
    program, path = Program(house), f"/api/v1/orders/{first_of(house, 'tax')}/ring-now"
    house.operations.answers["orders.ring_unit_now"] = OperationRefused("现在没有空闲线路。", "lines.none_free")
    assert key_of(program.post(path, key="ring-it-now")) == (409, "refused.lines.none_free")
    del house.operations.answers["orders.ring_unit_now"]
    assert program.post(path, key="ring-it-now").status == 200


def test_an_act_whose_end_nobody_knows_is_not_done_again(house: House) -> None:
    program, path = Program(house), f"/api/v1/orders/{first_of(house, 'tax')}/ring-now"
    house.operations.answers["orders.ring_unit_now"] = StoreUnavailable("gone in the middle")
    assert program.post(path, key="ring-it-now").status == 503
    del house.operations.answers["orders.ring_unit_now"]
    assert key_of(program.post(path, key="ring-it-now")) == (409, "api.outcome_unknown")
    assert house.operations.acts == []


def test_a_key_whose_act_is_under_way_is_refused(house: House) -> None:
    answered: Deferred[Response] = Deferred()

    async def act() -> Response:
        return await answered

    once = house.console.idempotency.once
    first = ensureDeferred(once("api:chat", "some-good-key", "close", act))
    with pytest.raises(Impossible) as refused:
        finished(once("api:chat", "some-good-key", "close", act))
    assert refused.value.key == "api.under_way"
    answered.callback(Response(200, b"{}"))
    assert finished(first).body == b"{}"
    assert finished(once("api:chat", "some-good-key", "close", act)).body == b"{}"


def test_an_act_without_a_possible_key_is_not_done(house: House) -> None:
    program, path = Program(house), f"/api/v1/orders/{first_of(house, 'tax')}/acknowledge"
    assert key_of(program.send("POST", path)) == (400, "api.key_missing")
    for wrong in ("short", "x" * 129, "with blank s"):
        assert key_of(program.send("POST", path, headers={"idempotency-key": wrong})) == (400, "api.key_wrong")
    assert house.operations.acts == []


BODIES = {
    "a form": (b"why=x", "application/x-www-form-urlencoded", 415),
    "plain text": (b'{"why": "x"}', "text/plain", 415),
    "no type": (b'{"why": "x"}', "", 415),
    "broken JSON": (b'{"why": ', "application/json", 400),
    "no object": (b"[]", "application/json", 422),
    "nothing": (b"null", "application/json", 422),
    "a number": (b'{"why": 5}', "application/json", 422),
    "blanks": (b'{"why": "  "}', "application/json", 422),
    "half a character": (b'{"why": "\\ud800"}', "application/json", 422),
    "too much": (json.dumps({"why": "x" * 4001}).encode(), "application/json", 422),
    "more than was asked": (b'{"why": "x", "unit_id": "tax"}', "application/json", 422),
}


@pytest.mark.parametrize("sent", BODIES)
def test_what_is_no_proper_body_is_refused_and_says_why(house: House, sent: str) -> None:
    body, kind, status = BODIES[sent]
    headers = {"idempotency-key": "some-good-key"} | ({"content-type": kind} if kind else {})
    path = f"/api/v1/orders/{first_of(house, 'tax')}/close"
    answer = Program(house).send("POST", path, body, headers)
    assert key_of(answer)[0] == status
    assert bool(told(answer)["faults"]) == (status == 422)
    assert house.operations.acts == []


def test_a_call_that_has_not_ended_is_told_as_far_as_it_is_known(house: House) -> None:
    house.operations.calls_there.insert(0, just_offered())
    call = told(Program(house).get("/api/v1/calls?limit=1"))["calls"][0]
    assert (call["offered_at"], call["caller_number"]) == ("2026-03-10T09:04:00+08:00", "138****1234")
    assert (call["ended_at"], call["outcome"], call["legs"]) == (None, None, [])


def test_an_order_that_is_not_there_is_not_found(house: House) -> None:
    program = Program(house)
    for wrong in ("26031010001", "..", "a%20b", "x" * 65):
        assert program.get(f"/api/v1/orders/{wrong}").status == 404, wrong
    assert key_of(program.post("/api/v1/orders/26031010001/acknowledge")) == (404, "api.no_order")
