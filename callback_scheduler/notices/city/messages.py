"""The city's order platform: events of orders in its own field names, as docs/city-platform.md describes them.

A message carries what its event changed, not the whole order: the same event gives the same bytes each time it is
sent, and a platform that takes the messages of an order in turn has the order as we have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from callback_scheduler.ledger.feed import Letter
from callback_scheduler.notices.disclosure import disclosed
from callback_scheduler.orders.words import EVENTS, KINDS, OUTCOMES, STATES, matter_name, shanghai, unit_name
from config.notices import PhoneNumbers
from routing.directory import Directory

URGENCY = "次紧急"
_LEVELS = {1: "非常不满意", 2: "不满意", 3: "基本满意", 4: "满意", 5: "非常满意"}
_SOURCES = {"after_hours": "非工作时间留单", "missed": "工作时间未接通", "interrupted": "通话中断",
            "online": "在线客服转入"}
_BY = {"timetable": "系统", "unit": "承办单位", "enterprise": "企业", "specialist": "专业人员"}

# Field of ours -> field of the city's. What is not here stays with us.
_PLAIN = {
    "caller_number": "来电号码",
    "callback_number": "联系电话",
    "company": "公司名称",
    "contact": "联系人",
    "key_path": "按键路径",
    "rule_version": "规则版本",
    "calendar_version": "日历版本",
    "is_provisional": "是否暂定",
    "acknowledged_by": "签收人",
    "self_report": "自报内容",
    "self_reported_by": "自报人",
    "return_reason": "退单原因",
    "returns": "退单次数",
    "breach_cause": "逾期原因",
    "is_solved": "是否解决",
    "written_request": "诉求文字",
    "written_answer": "书面答复",
    "written_answer_by": "答复人",
}
_INSTANTS = {
    "opened_at": "来电时间",
    "due_at": "办理截止时间",
    "original_due_at": "原办理截止时间",
    "sent_at": "派单时间",
    "acknowledged_at": "签收时间",
    "self_reported_at": "自报时间",
    "reached_at": "首次接通时间",
    "promised_at": "承诺回电时间",
    "preferred_at": "期望回电时间",
    "overdue_at": "逾期时间",
    "closed_at": "办结时间",
    "written_answer_at": "答复时间",
    "first_response_at": "首次响应时间",
}


class CityMessages:
    """Writes an event of the journal as a message to the city's platform."""

    def __init__(self, directory: Directory, phone_numbers: PhoneNumbers) -> None:
        self._directory, self._phone_numbers = directory, phone_numbers

    def message(self, letter: Letter) -> dict[str, Any]:
        """Return the message; the same for the same event, whenever it is written."""
        position, event = letter
        payload = disclosed(event.payload, self._phone_numbers)
        message: dict[str, Any] = {
            "消息编号": event.event_id,
            "消息序号": position,
            "消息类型": "",
            "发生时间": _time(event.at.isoformat()),
            "工单编号": payload["order_id"],
            "经办人": payload.get("who", "系统"),
            "说明": payload.get("why", ""),
        }
        return message | _WRITERS[event.event_type](self, payload)

    def _opened(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        fields = self._fields(payload) | {
            "紧急程度": URGENCY,
            "工单来源": _SOURCES.get(payload["kind"], payload["kind"]),
            "办理时限说明": payload.get("reason", ""),
        }
        if "merged_into" in payload:
            return {"消息类型": "并单", "并入工单编号": payload["merged_into"], "字段": fields}
        return {"消息类型": "新建", "现状态": STATES["opened"], "字段": fields}

    def _changed(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        event = payload["event"]
        return {
            "消息类型": "状态变更",
            "事件": EVENTS.get(event, event),
            "原状态": STATES.get(payload["state_from"], payload["state_from"]),
            "现状态": STATES.get(payload["state_to"], payload["state_to"]),
            "字段": self._fields(payload.get("changes") or {}),
        } | self._attempt(payload)

    def _noted(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        fields = self._fields(payload.get("changes") or {})
        return {"消息类型": "备注", "备注类型": payload["note"], "字段": fields} | self._attempt(payload)

    def _notice(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        kind = payload["kind"]
        return {"消息类型": "通知", "通知类型": KINDS.get(kind, kind), "字段": self._fields(payload)}

    def _fields(self, ours: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the city knows of some fields; null for what was emptied."""
        found: dict[str, Any] = {city: ours[name] for name, city in _PLAIN.items() if name in ours}
        found |= {city: _time(ours[name]) for name, city in _INSTANTS.items() if name in ours}
        if "matter_id" in ours:
            found |= {"事项": matter_name(self._directory, ours["matter_id"]), "事项编码": ours["matter_id"]}
        if "unit_id" in ours:
            found |= {"承办单位": unit_name(self._directory, ours["unit_id"]), "承办单位编码": ours["unit_id"]}
        if "message_path" in ours:
            found["留言录音"] = ours["message_path"]
        if ours.get("written_requests"):
            found["诉求文字"] = "\n".join(ours["written_requests"])  # of repeated requests all, the last at the end
        if "messages" in ours:
            found["补充留言"] = ours["messages"]
        if "survey_level" in ours:
            found["满意度"] = _LEVELS.get(ours["survey_level"])
        return found

    def _attempt(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        attempt = payload.get("attempt")
        if not attempt:
            return {}
        evidence = attempt.get("evidence") or {}
        outcome = attempt["outcome"]
        return {
            "拨打记录": {
                "拨打编号": attempt["attempt_id"],
                "发起方": _BY.get(attempt["by"], attempt["by"]),
                "开始时间": _time(attempt["begun_at"]),
                "结束时间": _time(attempt.get("ended_at")),
                "结果": OUTCOMES.get(outcome, outcome),
                "承办单位号码": attempt.get("unit_number", ""),
                "企业号码": attempt["number"],
                "单位接听时间": _time(evidence.get("unit_answered_at")),
                "按键确认时间": _time(evidence.get("accepted_at")),
                "企业接听时间": _time(evidence.get("enterprise_answered_at")),
                "双方通话开始时间": _time(evidence.get("talk_began_at")),
                "双方通话秒数": evidence.get("two_way_s", 0),
                "通话录音": PurePath(evidence.get("recording", "")).name,
            }
        }


_WRITERS: dict[str, Callable[[CityMessages, Mapping[str, Any]], dict[str, Any]]] = {
    "order_opened": CityMessages._opened,
    "order_changed": CityMessages._changed,
    "order_noted": CityMessages._noted,
    "notice_given": CityMessages._notice,
}


def _time(instant: str | None) -> str | None:
    return shanghai(instant).isoformat(timespec="seconds") if instant else None
