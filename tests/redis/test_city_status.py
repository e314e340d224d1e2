"""The city's platform reports back: authenticated, once for each message, and refused with a reason."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from callback_scheduler.orders.states import OrderEvent, OrderState
from tests.redis.nodes import wait_until
from tests.redis.receivers import SECRET, HttpReceiver
from tests.redis.telling import TellingNode

Report = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def city(telling: TellingNode) -> TellingNode:
    """A node the city may report to."""
    telling.start_telling(
        city_status={"port": 0, "token_env": "TEST_SECRET", "max_body_bytes": 1000, "timeout_s": 0.5,
                     "max_connections": 3}
    )
    return telling


def port_of(city: TellingNode) -> int:
    assert city.notices.city_status is not None
    return city.notices.city_status.port


@pytest.fixture
def report(city: TellingNode) -> Report:
    """Send one report; return status and answer."""

    def send(order_id: str, status: str, key: str = "m-1", token: str = SECRET, body: Any = None, **more: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(city), timeout=5)
        fields = {"状态": status, "经办人": "李四", "说明": "平台办理"} | more.pop("fields", {})
        headers = {
            "Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json",
        } | more.pop("headers", {})
        path = more.pop("path", f"/city/v1/orders/{order_id}/status")
        content = json.dumps(fields).encode() if body is None else body
        connection.request(more.pop("method", "POST"), path, content, headers, **more)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else {}

    return send


def test_a_report_changes_the_order_and_says_who_reported(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001").order_id
    assert report(order_id, "已签收") == (200, {"工单编号": order_id, "现状态": "acknowledged", "重复消息": False})
    order = city.ask("orders.order", order_id)
    assert (order.state, order.acknowledged_by, order.acknowledged_at) == (
        OrderState.ACKNOWLEDGED, "city:李四", order.acknowledged_at,
    )
    assert report(order_id, "已联系", "m-2")[1]["现状态"] == "self_reported"
    assert city.ask("orders.order", order_id).self_report == "平台办理"


def test_the_same_message_changes_the_order_once_also_after_a_restart(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001").order_id
    city.change(order_id, OrderEvent.SENT)
    first = report(order_id, "退单")
    assert first[1]["重复消息"] is False
    assert report(order_id, "退单") == (200, first[1] | {"重复消息": True})
    city.stop()
    city.start_telling(city_status={"port": 0, "token_env": "TEST_SECRET"})
    assert report(order_id, "退单") == (200, first[1] | {"重复消息": True})
    order = city.ask("orders.order", order_id)
    assert (order.returns, order.return_reason) == (1, "平台办理")
    status, answer = report(order_id, "办结")
    assert status == 422
    assert "m-1" in answer["错误"]


def test_an_order_may_be_reassigned_to_a_unit_by_id_or_name_and_keeps_its_deadline(
    city: TellingNode, report: Report
) -> None:
    opened = city.open_order("13800000001", unit_id="market")
    city.change(opened.order_id, OrderEvent.SENT)
    assert report(opened.order_id, "改派", fields={"承办单位": "区教育局"})[0] == 422
    assert report(opened.order_id, "改派", fields={"承办单位": "区税务局"})[0] == 200
    order = city.ask("orders.order", opened.order_id)
    assert (order.unit_id, order.units_before, order.due_at) == ("tax-bureau", ("market",), opened.due_at)


def test_an_order_is_not_passed_on_to_the_unit_that_has_it(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001", unit_id="tax-bureau").order_id
    report(order_id, "已签收")
    for named in ("tax-bureau", "区税务局"):
        status, answer = report(order_id, "改派", f"m-{len(named)}", fields={"承办单位": named})
        assert (status, "already" in answer["错误"]) == (409, True)
    assert city.ask("orders.order", order_id).acknowledged_by == "city:李四"
    assert [event["type"] for event in city.ask("orders.order_events", order_id)] == ["order_opened", "order_changed"]


@pytest.mark.parametrize("why", ["", "  \u3000\n"])
@pytest.mark.parametrize("status", ["退单", "改派", "已联系", "办结"])
def test_what_others_will_ask_the_reason_of_needs_one(
    city: TellingNode, report: Report, status: str, why: str
) -> None:
    order_id = city.open_order("13800000001").order_id
    fields = {"说明": why, "承办单位": "区税务局"}
    answered, answer = report(order_id, status, fields=fields)
    assert (answered, "说明" in answer["错误"]) == (422, True)
    assert city.ask("orders.order", order_id).state is OrderState.OPENED


def test_the_unit_an_order_is_passed_on_to_is_told_of_it(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001", unit_id="market").order_id
    city.change(order_id, OrderEvent.SENT)
    assert report(order_id, "改派", fields={"承办单位": "区税务局"})[0] == 200
    notices = [event.payload for _, event in city.ledger._journal.replay(event_types=("notice_given",))]
    told = [(one["kind"], one["order_id"], one["unit_id"]) for one in notices]
    assert told == [("new_order", order_id, "tax-bureau")]


def test_what_cannot_happen_is_refused_with_its_reason(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001").order_id
    assert report(order_id, "办结")[0] == 200
    status, answer = report(order_id, "退单", "m-2")
    assert status == 409
    assert "closed" in answer["错误"]
    assert report("26030319999", "已签收")[0] == 404
    assert city.ask("orders.order", order_id).state is OrderState.CLOSED


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"token": "not the token at all"}, 401),
        ({"token": ""}, 401),
        ({"headers": {"Authorization": f"Basic {SECRET}"}}, 401),
        ({"headers": {"Authorization": "Bearer ä".encode()}}, 401),
        ({"path": "/city/v1/orders/../status"}, 404),
        ({"method": "PUT"}, 405),
        ({"headers": {"Content-Type": "text/plain"}}, 415),
        ({"key": ""}, 400),
        ({"key": "x" * 129}, 400),
        ({"body": b"{"}, 400),
        ({"body": b"[" * 900}, 400),
        ({"body": b"[]"}, 400),
        ({"body": b"[" * 300 + b"]" * 300}, 400),
        ({"body": '{"状态": "已签收", "说明": "\\ud800"}'.encode()}, 400),
        ({"body": '{"状态": "已签收", "x": NaN}'.encode()}, 400),
        ({"body": b'"\xff"'}, 400),
        ({"fields": {"状态": "已归档"}}, 422),
        ({"fields": {"经办人": 7}}, 422),
        ({"fields": {"说明": "x" * 501}}, 422),
        ({"body": b'{"x":"' + b"x" * 2000 + b'"}'}, 413),
        ({"body": [b"{" * 600, b"{" * 600], "encode_chunked": True,
          "headers": {"Transfer-Encoding": "chunked"}}, 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_request_that_is_not_as_it_should_be_changes_nothing(
    city: TellingNode, report: Report, wrong: dict[str, Any], status: int
) -> None:
    order_id = city.open_order("13800000001").order_id
    assert report(order_id, "已签收", **wrong)[0] == status
    assert city.ask("orders.order", order_id).state is OrderState.OPENED
    assert report(order_id, "已签收")[0] == 200


def test_a_body_within_bounds_followed_by_too_much_is_not_acted_upon(city: TellingNode) -> None:
    order_id = city.open_order("13800000001").order_id
    body = json.dumps({"状态": "已签收"}).encode() + b" " * 2000
    with socket.create_connection(("127.0.0.1", port_of(city)), timeout=5) as connection:
        connection.sendall(
            f"POST /city/v1/orders/{order_id}/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
            f"Idempotency-Key: m\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 413 ")
    assert city.ask("orders.order", order_id).state is OrderState.OPENED


def test_who_sends_nothing_or_drop_by_drop_is_cut_off_and_lets_others_in(city: TellingNode, report: Report) -> None:
    order_id = city.open_order("13800000001").order_id
    idle = [socket.create_connection(("127.0.0.1", port_of(city)), timeout=5) for _ in range(3)]
    dripping = idle[0]
    fourth = socket.create_connection(("127.0.0.1", port_of(city)), timeout=5)
    assert fourth.recv(1) == b""  # all places are taken

    def is_cut_off() -> bool:
        try:
            dripping.sendall(b"P")
        except OSError:
            return True
        return False

    wait_until(is_cut_off)
    for connection in [*idle, fourth]:
        connection.close()
    wait_until(lambda: report(order_id, "已签收")[0] == 200)


def test_while_redis_is_away_the_city_is_asked_to_come_again(
    telling: TellingNode, report: Report, board: HttpReceiver
) -> None:
    order_id = telling.open_order("13800000001").order_id
    telling.embedded.stop()
    wait_until(lambda: not telling.ledger._applier.is_up)
    assert report(order_id, "已签收")[0] == 503


def test_the_change_a_report_made_is_told_to_receivers(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(webhooks=[{"name": "board", "url": board.url, "secret_env": "TEST_SECRET"}])
    order_id = telling.open_order("13800000001").order_id
    telling.change(order_id, OrderEvent.ACKNOWLEDGED, request_id="m-9")
    wait_until(lambda: len(board.posts) == 2)
    assert board.posts[1].fields["order"]["request_id"] == "m-9"
