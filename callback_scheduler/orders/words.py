"""Chinese words for what notices tell of: kinds of notices, states and events of orders, outcomes of attempts."""

from __future__ import annotations

from datetime import datetime

from callback_scheduler.orders.order import AttemptOutcome as _O
from callback_scheduler.orders.states import OrderEvent as _E
from callback_scheduler.orders.states import OrderState as _S
from routing.clock import SHANGHAI
from routing.directory import Directory
from routing.errors import UnknownMatter, UnknownUnit

KINDS = {
    "new_order": "新工单",
    "digest": "待办汇总",
    "reminder": "催办",
    "escalation": "升级",
    "promise_broken": "“十分钟内回电”未兑现",
    "supervisor_alarm": "督办告警",
    "breach": "逾期",
    "bad_rating": "差评待跟进",
    "redated": "办理期限调整",
    "reassigned": "改派",
}
STATES = {
    _S.OPENED.value: "待派单",
    _S.SENT.value: "已派单",
    _S.ACKNOWLEDGED.value: "已签收",
    _S.CALLING_BACK.value: "回电中",
    _S.NOT_REACHED.value: "未接通",
    _S.REACHED.value: "已接通",
    _S.SELF_REPORTED.value: "已联系（自报）",
    _S.RETURNED.value: "已退单",
    _S.CLOSED.value: "已办结",
    _S.MERGED.value: "已并单",
}
EVENTS = {
    _E.SENT.value: "派单",
    _E.ACKNOWLEDGED.value: "签收",
    _E.ATTEMPT_BEGUN.value: "开始拨打",
    _E.ATTEMPT_FAILED.value: "拨打未接通",
    _E.REACHED.value: "接通",
    _E.SELF_REPORTED.value: "自报已联系",
    _E.RETURNED.value: "退单",
    _E.REASSIGNED.value: "改派",
    _E.CLOSED.value: "办结",
    _E.REOPENED.value: "重新办理",
    _E.MERGED.value: "并单",
}
OUTCOMES = {
    _O.UNDER_WAY.value: "拨打中",
    _O.UNIT_NO_ANSWER.value: "承办单位无人接听",
    _O.UNIT_BUSY.value: "承办单位占线",
    _O.UNIT_REFUSED.value: "承办单位拒接",
    _O.NOT_ACCEPTED.value: "承办单位未按键确认",
    _O.PASSED_ON.value: "转交同事",
    _O.IN_TEN_MINUTES.value: "承诺十分钟内回电",
    _O.ENTERPRISE_BUSY.value: "企业占线",
    _O.ENTERPRISE_NO_ANSWER.value: "企业无人接听",
    _O.ENTERPRISE_REFUSED.value: "企业拒接",
    _O.TALK_TOO_SHORT.value: "通话过短",
    _O.REACHED.value: "接通",
    _O.CALLED_OFF.value: "已取消",
    _O.UNKNOWN.value: "结果不明",
}


def unit_name(directory: Directory, unit_id: str) -> str:
    """Return the name of a unit; its id if the directory does not know it any more."""
    try:
        return directory.unit(unit_id).name
    except UnknownUnit:
        return unit_id


def matter_name(directory: Directory, matter_id: str) -> str:
    """Return the name of a matter; its id if the directory does not know it any more."""
    try:
        return directory.matter(matter_id).name
    except UnknownMatter:
        return matter_id


def shanghai(instant: str) -> datetime:
    """Return an instant of the journal on Shanghai's clock."""
    return datetime.fromisoformat(instant).astimezone(SHANGHAI)
