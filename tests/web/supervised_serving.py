"""A console with a supervisor's orders for browsers: `python supervised_serving.py <folder>`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.states import OrderState
from demo.tones import write_tone
from tests.web.serving import reactor, serve
from tests.web.supervised import NOW, Supervised, an_attempt, due_today, opened
from tests.web.visitors import torn_down

SECONDS = 3
_CHANGE_AFTER_S = 2.0  # later than the page that asked for it has looked again


def supervised(folder: Path) -> Supervised:
    """Return one late order with the recording of its talk, and one at risk; a unit that is rung is busy with it."""
    house = Supervised()
    folder.mkdir(parents=True, exist_ok=True)
    sound = folder / "talk.wav"
    write_tone(sound, 430, duration_s=SECONDS)
    house.operations.recordings_there["talk.wav"] = sound
    talk = an_attempt(AttemptOutcome.REACHED, NOW.replace(day=9, hour=11), 60.0, "talk.wav")
    house.put(opened(NOW.replace(day=8, hour=20), attempts=(talk,), state=OrderState.REACHED, company="示例餐饮"))
    waiting = house.put(due_today())
    noted = house.operations.noted

    def rung() -> None:
        attempt = replace(an_attempt(AttemptOutcome.UNDER_WAY, NOW), ended_at=None)
        house.put(replace(waiting, state=OrderState.CALLING_BACK, attempts=(attempt,)))
        house.operations.tell("order", order_id=waiting.order_id, unit_id=waiting.unit_id, what="attempt_begun")

    def hear(verb: str, arguments: tuple[Any, ...]) -> Any:
        if verb == "orders.ring_unit_now":
            reactor.callLater(_CHANGE_AFTER_S, rung)
        return noted(verb, arguments)

    house.operations.noted = hear  # type: ignore[method-assign]
    return house


if __name__ == "__main__":
    with torn_down():
        serve(Path(sys.argv[1]), supervised(Path(sys.argv[1]).parent / "sample").operations)
