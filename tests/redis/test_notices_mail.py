"""Mail: one letter in Chinese for what gathered, sent at least once."""

from __future__ import annotations

from email.header import decode_header, make_header
from typing import Any

import pytest

from tests.redis.nodes import EVENING, wait_until
from tests.redis.receivers import MailServer
from tests.redis.telling import TellingNode

OFFICE, DUBAN = "office@tax.example", "duban@example.org"


def mail(server: MailServer, **more: Any) -> dict[str, Any]:
    return {
        "mail": {
            "server": f"127.0.0.1:{server.port}", "security": "none", "sender": "hotline@example.org", "gather_s": 0.3,
            "units": {"tax-bureau": [OFFICE]}, "supervisors": [DUBAN], "timeout_s": 2,
        } | more
    }


def tell(node: TellingNode, kind: str, order_id: str, **extra: Any) -> None:
    order = node.ask("orders.order", order_id)
    node._in_reactor(node.notices.tell, kind, order, {"key": f"{order_id}/{kind}"} | extra, EVENING)


def test_what_gathers_for_a_unit_is_one_letter_with_a_chinese_subject(telling: TellingNode) -> None:
    server = MailServer()
    with server.running():
        pass  # its port is known, and nobody listens there until all is told
    # longer than it takes to tell all four: the first letter waits so long for more to go with it
    telling.start_telling(**mail(server, gather_s=4.0))
    orders = [telling.open_order(f"1380000000{n}").order_id for n in range(3)]
    tell(telling, "digest", orders[0], unit_id="tax-bureau", order_ids=orders)
    tell(telling, "reminder", orders[1])
    tell(telling, "reminder", orders[1])
    due = {"old_due_at": "2026-03-04T10:00:00+08:00", "new_due_at": "2026-03-05T10:00:00+08:00"}
    tell(telling, "redated", orders[2], **due)
    wait_until(lambda: telling.status_of("mail_units")["waiting"] == 4)
    with server.running():
        wait_until(lambda: telling.status_of("mail_units")["waiting"] == 0)
        # supervisors are told of the new date too, in a letter of their own
        (letter,) = (letter for to, letter in server.mails if to == [OFFICE])
        assert str(make_header(decode_header(letter["Subject"]))) == (
            "【12345企业专席】待办汇总、催办、办理期限调整：3件次紧急工单（区税务局）"
        )
        assert str(letter["From"]) == "12345企业专席 <hotline@example.org>"
        assert letter.get_content_type() == "text/plain"
        text = letter.get_content()
        assert "待办汇总（3件）" in text
        assert "催办（1件）" in text
        assert "时限由2026-03-04 10:00改为2026-03-05 10:00" in text
        assert f"{orders[0]}  2026-03-04 10:00前回电  tax  长宁某公司  联系电话 138****0000  待派单" in text
        assert "13800000000" not in text
        assert letter["Message-ID"].endswith("@example.org>")
        assert letter["Auto-Submitted"] == "auto-generated"


def test_supervisors_get_what_is_meant_for_them_and_units_what_is_theirs(telling: TellingNode) -> None:
    with MailServer().running() as server:
        telling.start_telling(**mail(server))
        order_id = telling.open_order("13800000001").order_id
        foreign = telling.open_order("13800000002", unit_id="nobody").order_id
        tell(telling, "breach", order_id, cause="承办单位三次无人接听，号码 13800000001")
        tell(telling, "supervisor_alarm", foreign)
        tell(telling, "reminder", foreign)  # that unit has no mailbox
        wait_until(lambda: len(server.mails) == 2)
        letters = {to[0]: letter.get_content() for to, letter in server.mails}
        assert letters.keys() == {OFFICE, DUBAN}
        assert "承办单位三次无人接听，号码 138****0001" in letters[OFFICE]
        assert "督办告警（1件）" in letters[DUBAN]
        assert foreign not in letters[OFFICE]


def test_a_mail_server_that_is_away_is_waited_for_also_across_a_restart(telling: TellingNode) -> None:
    server = MailServer()
    with server.running():
        pass  # its port is known, and nobody listens there
    telling.start_telling(**mail(server))
    order_id = telling.open_order("13800000001").order_id
    tell(telling, "reminder", order_id)
    wait_until(lambda: telling.status_of("mail_units")["failures_in_a_row"] > 0)
    telling.stop()
    with server.running():
        telling.start_telling(**mail(server))
        wait_until(lambda: len(server.mails) == 1)
        assert order_id in server.mails[0][1].get_content()


@pytest.mark.parametrize(("reply", "is_dead"), [("550 no such mailbox", True), ("451 later", False)])
def test_a_mailbox_that_does_not_exist_is_a_dead_letter_one_that_is_busy_is_not(
    telling: TellingNode, reply: str, is_dead: bool
) -> None:
    with MailServer(refuses={OFFICE: reply}).running() as server:
        telling.start_telling(**mail(server))
        tell(telling, "reminder", telling.open_order("13800000001").order_id)
        if is_dead:
            wait_until(lambda: len(telling.notices.dead_letters()) == 1)
            assert "550 no such mailbox" in telling.notices.dead_letters()[0]["reason"]
        else:
            wait_until(lambda: telling.status_of("mail_units")["failures_in_a_row"] > 1)
            assert telling.notices.dead_letters() == []
            server.refuses.clear()
            wait_until(lambda: len(server.mails) == 1)


def test_a_letter_some_mailboxes_took_is_not_sent_to_them_again(telling: TellingNode) -> None:
    with MailServer(refuses={"gone@tax.example": "550 gone"}).running() as server:
        telling.start_telling(**mail(server, units={"tax-bureau": [OFFICE, "gone@tax.example"]}))
        tell(telling, "reminder", telling.open_order("13800000001").order_id)
        wait_until(lambda: len(telling.notices.dead_letters()) == 1)
        assert telling.notices.dead_letters()[0]["reason"] == "1 of 2 mailboxes refused: gone@tax.example: 550 gone"
        assert [to for to, _ in server.mails] == [[OFFICE]]


def test_a_server_that_offers_no_tls_gets_no_letter(telling: TellingNode) -> None:
    with MailServer().running() as server:
        telling.start_telling(**mail(server, security="starttls"))
        tell(telling, "reminder", telling.open_order("13800000001").order_id)
        wait_until(lambda: telling.status_of("mail_units")["failures_in_a_row"] > 0)
        assert "STARTTLS" in telling.status_of("mail_units")["last_error"]
        assert server.mails == []
