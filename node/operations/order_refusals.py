"""Why something cannot be done with an order now, and what states and acts are called in such sentences."""

from __future__ import annotations

from callback_scheduler.orders.states import OrderEvent
from ivr.refused import Reason


class OrderRefusal(Reason):
    """The reasons; the value of each is the key of `OperationRefused`."""

    UNKNOWN = "order.unknown", "没有工单{order_id}。"
    NOT_YOURS = "order.not_yours", "这张工单不属于您的单位。"
    NOT_NOW = "order.not_now", "工单{state}，现在不能{what}。"
    CALLING_BACK = "order.calling_back", "正在拨打这张工单的回电，请等拨打结束。"
    CHANGED = "order.changed", "这张工单刚被别人更改，请刷新后再试。"
    TAKEN = "order.taken", "这张工单正在处理中，或企业正在通话，请稍后再试。"
    MAY_BE_TALKING = "order.may_be_talking", "上一次拨打因故障结果不明，企业可能仍在通话，请稍后再试。"
    NO_NUMBER = "order.no_number", "工单没有回电号码。"
    ENTERPRISE_BUSY = "order.enterprise_busy", "企业正在与热线通话。"
    SAME_UNIT = "order.same_unit", "工单已在{unit}。"
    NOTHING_TO_REJUDGE = "order.nothing_to_rejudge", "没有逾期记录，或按现行日历时限并未推后，无从改判。"
    NO_TEXT = "order.no_text", "请填写内容。"
    TEXT_TOO_LONG = "order.text_too_long", "内容最多{most}字。"
    UNKNOWN_UNIT = "unit.unknown", "没有承办单位{unit}。"
    UNIT_BUSY = "unit.busy", "该单位的电话都在通话中。"
    NOBODY_THERE = "unit.nobody", "该单位今天没有在岗人员。"
    NO_LEADER = "unit.no_leader", "{unit}没有登记负责人电话。"
    FOREIGN_NUMBER = "number.not_of_unit", "只能使用本单位登记的号码或您本人的号码。"
    PHONE_BUSY = "number.busy", "这个号码正在通话或振铃。"
    NO_LINE = "lines.none_free", "现在没有空闲线路，请稍后再试。"
    UNKNOWN_MATTER = "matter.unknown", "没有这个事项，或者不由本热线受理。"
    NOT_DIALABLE = "number.not_dialable", "这个号码不能回拨。"
    DIAL_NUMBER = "dial.number", "这个号码不能呼叫，请先更正号码。"
    DIAL_HELD = "dial.held", "这张工单须先由人工核对回电号码，核对后由督办人员写明理由再拨。"
    DIAL_HOURS = "dial.hours", "现在不是拨打时段。请在工作日{starts}至{ends}再拨；确有急需，请督办人员写明理由后拨打。"
    DIAL_PAUSE = "dial.pause", "刚刚拨打过，请{wait}秒后再试。"
    DIAL_ORDER_CAP = "dial.order_cap", "这张工单今天的拨打次数已满，请明天再拨；确有急需，请督办人员写明理由后拨打。"
    DIAL_NUMBER_CAP = "dial.number_cap", "这个号码今天的拨打次数已满，请明天再拨；确有急需，请督办人员写明理由后拨打。"
    OVERRULE_NOT_YOURS = "dial.overrule_not_yours", "只有督办人员可以写明理由、越过拨打限制。"
    UNKNOWN_WISH = "online.unknown_wish", "只能要求立即通话或回电。"


EVENT_WORDS = {
    OrderEvent.SENT: "派单",
    OrderEvent.ACKNOWLEDGED: "确认",
    OrderEvent.ATTEMPT_BEGUN: "拨打",
    OrderEvent.ATTEMPT_FAILED: "记录未接通",
    OrderEvent.REACHED: "记录接通",
    OrderEvent.SELF_REPORTED: "填报",
    OrderEvent.RETURNED: "退单",
    OrderEvent.REASSIGNED: "改派",
    OrderEvent.CLOSED: "办结",
    OrderEvent.REOPENED: "重开",
    OrderEvent.MERGED: "并单",
}
