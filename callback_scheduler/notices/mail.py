"""Notices by mail: what gathered for one unit, or for the supervisors, as one plain letter in Chinese.

smtplib sends it in a thread: the standard library's TLS verifies the server, and needs nothing else. A letter is
delivered when the mail server has taken it.
"""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from callback_scheduler.errors import NotDelivered, NoticeRefused, StoreUnavailable
from callback_scheduler.ledger.feed import Letter
from callback_scheduler.notices.courier import InThread
from callback_scheduler.notices.disclosure import disclosed
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.words import KINDS, STATES, matter_name, shanghai, unit_name
from config.notices import Mailbox, MailSettings
from routing.clock import SHANGHAI
from routing.directory import Directory
from routing.visible import visible_line

SUPERVISORS = "supervisors"
_ORDERS_IN_A_LETTER = 200


class Mail:
    """A group of mail receivers: `boxes` are the mailboxes of each unit, or of `SUPERVISORS` alone.

    `kinds` are the notices it gets; `order` reads an order as it is when the letter is written.
    """

    parallel = 1
    at_once = 100
    starts_at_beginning = False

    def __init__(
        self,
        name: str,
        settings: MailSettings,
        boxes: Mapping[str, Sequence[Mailbox]],
        kinds: Sequence[str],
        *,
        directory: Directory,
        order: Callable[[str], Awaitable[Order | None]],
        in_thread: InThread,
        now: Callable[[], datetime],
    ) -> None:
        self.name, self.gather_s = name, settings.gather_s
        self._settings, self._boxes, self._kinds = settings, boxes, frozenset(kinds)
        self._directory, self._order, self._in_thread, self._now = directory, order, in_thread, now
        self._password = settings.password()
        self._open: set[smtplib.SMTP] = set()

    def lane(self, letter: Letter) -> str:
        """Return the unit, or `SUPERVISORS`; "" for what nobody here gets."""
        event = letter[1]
        if event.event_type != "notice_given" or event.payload["kind"] not in self._kinds:
            return ""
        addressee = SUPERVISORS if SUPERVISORS in self._boxes else str(event.payload["unit_id"])
        return addressee if self._boxes.get(addressee) else ""

    async def deliver(self, letters: Sequence[Letter]) -> None:
        """Send one mail about all letters of a lane; NotDelivered or NoticeRefused if the server did not take it."""
        addressee = self.lane(letters[0])
        try:
            message = await self._written(addressee, letters)
        except StoreUnavailable as away:
            raise NotDelivered(f"the orders cannot be read: {away}") from away
        await self._in_thread(self._send, message, list(self._boxes[addressee]))

    async def stop(self) -> None:
        """Break off a mail that is under way."""
        for server in list(self._open):
            with suppress(OSError, AttributeError):
                server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    # -- writing ------------------------------------------------------------------------------------------------------

    async def _written(self, addressee: str, letters: Sequence[Letter]) -> EmailMessage:
        events = list({event.event_id: event for _, event in letters}.values())
        by_kind: dict[str, dict[str, str]] = {}  # kind -> order -> what is said of it beside its fields
        for event in events:
            payload = event.payload
            said = by_kind.setdefault(payload["kind"], {})
            for order_id in payload.get("order_ids") or [payload["order_id"]]:
                said[order_id] = _said(payload)
        orders = {order_id for said in by_kind.values() for order_id in said}
        whom = "督办" if addressee == SUPERVISORS else unit_name(self._directory, addressee)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = f"【12345企业专席】{'、'.join(map(_word, by_kind))}：{len(orders)}件次紧急工单（{whom}）"
        message["From"] = Address(self._settings.sender_name, addr_spec=self._settings.sender)
        message["To"] = ", ".join(self._boxes[addressee])
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = f"<{_fingerprint([event.event_id for event in events])}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join([f"{whom}：", "", *await self._lines(by_kind)]) + "\n", cte="base64")
        return message

    async def _lines(self, by_kind: dict[str, dict[str, str]]) -> list[str]:
        lines: list[str] = []
        for kind, said in by_kind.items():
            lines.append(f"{_word(kind)}（{len(said)}件）")
            for order_id, cause in list(said.items())[:_ORDERS_IN_A_LETTER]:
                order = await self._order(order_id)
                lines.append("  " + (self._line(order) if order else order_id))
                if cause:
                    lines.append("    " + visible_line(disclosed(cause, self._settings.phone_numbers)))
            if len(said) > _ORDERS_IN_A_LETTER:
                lines.append(f"  其余{len(said) - _ORDERS_IN_A_LETTER}件请登录系统查看")
            lines.append("")
        return [*lines, "本邮件由系统自动发送，请勿回复。"]

    def _line(self, order: Order) -> str:
        number = disclosed({"number": order.callback_number}, self._settings.phone_numbers)["number"]
        due = f"{order.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}前回电"
        provisional = "（暂定）" if order.deadline.is_provisional else ""
        fields = (
            order.order_id, due + provisional, matter_name(self._directory, order.matter_id),
            visible_line(disclosed(order.company, self._settings.phone_numbers)),
            number and f"联系电话 {number}", STATES[order.state.value],
        )
        return "  ".join(filter(None, fields))

    @property
    def _domain(self) -> str:
        return self._settings.sender.rpartition("@")[2]

    # -- sending; in a thread -----------------------------------------------------------------------------------------

    def _send(self, message: EmailMessage, to: list[str]) -> None:
        try:
            server = self._connected()
            self._open.add(server)
            try:
                refused = self._handed_over(server, message, to)
            finally:
                self._open.discard(server)
                server.close()
        except smtplib.SMTPRecipientsRefused as no:
            raise self._of_recipients(no.recipients, to) from no
        except smtplib.SMTPDataError as no:
            kind = NoticeRefused if no.smtp_code >= 500 else NotDelivered
            raise kind(f"{no.smtp_code} {_text(no.smtp_error)}") from no
        except (smtplib.SMTPException, OSError) as away:  # not about this letter: the server, the login, the network
            raise NotDelivered(f"{type(away).__name__}: {away}") from away
        if refused:
            raise self._of_recipients(refused, to)

    def _connected(self) -> smtplib.SMTP:
        host, port = self._settings.address
        trust = ssl.create_default_context(cafile=self._settings.ca_file and str(self._settings.ca_file))
        timeout_s = self._settings.timeout_s
        if self._settings.security == "tls":
            return smtplib.SMTP_SSL(host, port, self._domain, timeout=timeout_s, context=trust)
        server = smtplib.SMTP(host, port, self._domain, timeout=timeout_s)
        if self._settings.security == "starttls":
            try:
                server.starttls(context=trust)
            except BaseException:
                server.close()
                raise
        return server

    def _handed_over(self, server: smtplib.SMTP, message: EmailMessage, to: list[str]) -> dict[str, tuple[int, bytes]]:
        """Return the recipients the server did not take, if it took others."""
        if self._settings.username:
            server.login(self._settings.username, self._password)
        refused: dict[str, tuple[int, bytes]] = server.send_message(message, self._settings.sender, to)
        with suppress(smtplib.SMTPException, OSError):
            server.quit()  # the letter is theirs already
        return refused

    def _of_recipients(self, refused: dict[str, tuple[int, bytes]], to: list[str]) -> Exception:
        """Return what to make of mailboxes that were refused: those that were not must not get it again and again."""
        words = "; ".join(f"{box}: {code} {_text(reason)}" for box, (code, reason) in refused.items())
        is_final = len(refused) < len(to) or all(code >= 500 for code, _ in refused.values())
        text = f"{len(refused)} of {len(to)} mailboxes refused: {words}"
        return NoticeRefused(text) if is_final else NotDelivered(text)


def _word(kind: str) -> str:
    return KINDS.get(kind, kind)


def _said(payload: Mapping[str, Any]) -> str:
    """Return what a notice says beside the order's fields."""
    if "old_due_at" in payload:
        old, new = shanghai(payload["old_due_at"]), shanghai(payload["new_due_at"])
        return f"时限由{old:%Y-%m-%d %H:%M}改为{new:%Y-%m-%d %H:%M}"
    return str(payload.get("cause", ""))


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else reply


def _fingerprint(event_ids: list[str]) -> str:
    return hashlib.sha256(" ".join(event_ids).encode()).hexdigest()[:32]
