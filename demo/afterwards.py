"""What goes on after the scenes while somebody watches the console: one call after the other, until Ctrl-C."""

from __future__ import annotations

import itertools
import signal
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType

from demo.phone_log import PhoneHeardOtherwise
from demo.scenes import MORNING, Stage

_SOON_S, _TALK_S, _PAUSE_S = 4.5, 12.0, 4.0
_NEXT_MORNING = MORNING + timedelta(days=1)  # the clock has gone to the next day's breach
_BUSY = ("8002", "8003", "6102", "6103", "6111", "6112", "6113")


def keep_calling(stage: Stage) -> None:
    """Let the caller ring, be put through and talk, again and again; return at Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    with suppress(KeyboardInterrupt):
        seat_people(stage)
        for turn in itertools.count():
            with suppress(PhoneHeardOtherwise):  # the next call may go better
                one_call(stage, f"1370000{turn % 10_000:04}", is_put_through=turn % 3 < 2)
            for phone in (stage.caller, stage.seat, stage.specialist):
                with suppress(PhoneHeardOtherwise):
                    phone.hangup()
            time.sleep(_PAUSE_S)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def seat_people(stage: Stage) -> None:
    """One seat and one specialist of the market bureau are there; it is 10:30 again."""
    stage.service.set_clock(_NEXT_MORNING)
    for number in _BUSY:
        stage.switchboard.refuse(number, 486)
    stage.switchboard.connect("8001", stage.seat.sip_port)
    stage.switchboard.connect("6101", stage.specialist.sip_port)
    stage.seat.auto_answer(after_s=3.0)
    stage.specialist.auto_answer(after_s=3.0, then_press="1", press_after_s=1.0)


def one_call(stage: Stage, number: str, *, is_put_through: bool) -> None:
    """One caller of the line: at the menu, with the seat, and if so wished with the specialist as third.

    `number` is one that no callback is owed: who is owed one hears of that instead.
    """
    stage.caller.dial(stage.service.uri, from_number=number)
    stage.caller.wait_answered()
    time.sleep(_SOON_S)
    stage.caller.press("1")
    stage.seat.wait_answered(20)
    time.sleep(_SOON_S)
    if is_put_through:
        stage.seat.press("*#")
        stage.specialist.wait_answered(20)
        time.sleep(_TALK_S)
        stage.seat.hangup()
    time.sleep(_TALK_S)
