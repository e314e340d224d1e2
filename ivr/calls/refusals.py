"""Why something cannot be done with a call, a seat or a number now: a key, and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.refused import OperationRefused, Reason


class Refusal(Reason):
    """The reasons; the value of each is the key of `OperationRefused`."""

    # -- a call --
    NO_SUCH_CALL = "call.gone", "没有这通电话，或者已经结束。"
    NOT_YOUR_CALL = "call.not_yours", "这通电话不在您的席位上。"
    NOBODY_THERE = "call.no_seat", "现在没有坐席与来电人通话。"
    UNKNOWN_TARGET = "call.unknown_target", "没有这个事项、单位或人员。"
    BELONGS_ELSEWHERE = "call.belongs_elsewhere", "该事项由{name}受理，不能三方直转。"
    SPECIALIST_THERE = "call.specialist_there", "已有专业人员在通话或正在呼叫，请先结束。"
    PERSON_ABSENT = "call.person_absent", "{name}今天不在岗。"
    PERSON_BUSY = "call.person_busy", "{name}正在另一通电话中。"
    NOBODY_TO_DROP = "call.nobody_to_drop", "没有专业人员在通话或正在呼叫。"
    NOBODY_ELSE = "call.nobody_else", "暂无他人与企业通话，您不能退出。"

    # -- supervision --
    NOTHING_TO_SUPERVISE = "supervision.no_talk", "这通电话现在没有人与来电人通话。"
    NO_ROOM = "supervision.no_room", "这通电话已有四方，没有空位。"
    SUPERVISED_ALREADY = "supervision.taken", "已有督办人员在这通电话中。"
    SUPERVISOR_BUSY = "supervision.phone_busy", "您的电话正在通话或振铃。"
    WRONG_NUMBER = "supervision.wrong_number", "这个号码不能呼叫。"
    NO_SUPERVISION = "supervision.gone", "这次监听已经结束。"
    UNKNOWN_MODE = "supervision.unknown_mode", "没有这种监听方式。"

    # -- seats --
    UNKNOWN_SEAT = "seat.unknown", "没有这个席位。"
    UNKNOWN_STATE = "seat.unknown_state", "没有这种席位状态。"
    NO_CALL_TO_WRAP_UP = "seat.no_call_to_wrap_up", "该席位还没有可以整理的通话。"
    TEXT_TOO_LONG = "seat.text_too_long", "话后整理最多2000字。"
    STATE_NOT_STORED = "seat.state_not_stored", "席位状态未能保存，没有更改，请稍后再试。"
    TEXT_NOT_STORED = "seat.text_not_stored", "话后整理未能保存，请先自行留底，稍后再试。"
    READY_NOT_STORED = "seat.ready_not_stored", "话后整理已保存，但席位状态未能保存，仍为话后整理。"

    # -- the check of numbers --
    UNKNOWN_UNIT = "check.unknown_unit", "没有这个承办单位。"
    NOT_AT_THIS_HOUR = "check.not_now", "现在不是拨打时段，号码检查请在工作日的可拨打时段进行。"
    CHECKED_JUST_NOW = "check.just_now", "该单位的号码刚刚检查过，请一分钟后再试。"
    CHECK_RUNS = "check.runs_already", "该单位的号码正在检查。"
    NO_LINE = "check.no_line", "现在没有空闲线路，请稍后再试。"
    CHECK_NOT_STORED = "check.not_stored", "号码已检查，但结果未能保存，请稍后再试。"


@dataclass(frozen=True)
class Objection:
    """A reason, and the name that its sentence may take."""

    reason: Refusal
    name: str = ""

    def error(self) -> OperationRefused:
        """Return what to raise."""
        return self.reason.error(name=self.name)


def refused(reason: Refusal, name: str = "") -> OperationRefused:
    """Return the error of a reason."""
    return Objection(reason, name).error()
