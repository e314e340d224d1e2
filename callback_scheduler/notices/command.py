"""What `hotline notices` prints: every receiver, every dead letter, and what came of a retry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from routing.clock import in_shanghai
from routing.visible import visible_line


def text(found: dict[str, Any]) -> str:
    """Return it as lines; `found` is what the node answers, with `retried`."""
    lines = [_receiver(receiver) for receiver in found["receivers"]] or ["no receivers are configured"]
    lines += [f"retried  {one['receiver']}  {one['event_id']}  {one['outcome']}" for one in found["retried"]]
    lines += [_dead(letter) for letter in found["dead_letters"]]
    return "\n".join(map(visible_line, lines))


def _receiver(status: dict[str, Any]) -> str:
    state = "up" if status["is_up"] else f"away, {status['failures_in_a_row']} failures: {status['last_error']}"
    if status.get("is_closed"):
        state = f"CLOSED to us, nothing is lost, {status['failures_in_a_row']} failures: {status['last_error']}"
    counts = f"{status['waiting']} waiting  {status['dead_letters']} dead  {status['delivered']} delivered"
    return f"{status['receiver']}  {counts}  {state}"


def _dead(letter: dict[str, Any]) -> str:
    died_at = f"{in_shanghai(datetime.fromisoformat(letter['died_at'])):%Y-%m-%d %H:%M}"
    named = (letter["event_id"], died_at, letter["receiver"], letter["event_type"], letter["order_id"])
    return "dead  " + "  ".join([*named, letter["reason"]])
