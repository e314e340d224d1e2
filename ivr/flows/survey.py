"""好差评: five levels and solved or not, by key, after a service."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt


async def survey(call: Call, orders: Orders, order_id: str = "") -> None:
    """Ask the caller to rate the service, 5 very good to 1 very bad; no answer is an answer too.

    After a callback the answer is kept with its order as well.
    """
    if not call.manners.survey_enabled:
        return
    call.step(CallStep.SURVEY)
    level = await call.ask(Prompt.SURVEY_LEVEL, "12345", otherwise="0", retries=1)
    if level == "0":
        return
    solved = await call.ask(Prompt.SURVEY_SOLVED, "12", otherwise="", retries=1)
    await orders.note_survey(call, int(level), {"1": True, "2": False}.get(solved), order_id)
    await call.say(Prompt.SURVEY_THANKS)
