"""hotline orders, calls, notices: what a running node says over its operator's socket, printed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.notices import command as notices_report
from node.control_client import ask
from routing.clock import in_shanghai
from routing.phone_numbers import masked


def orders(socket: Path, *, limit: int, as_json: bool) -> int:
    """Print the latest orders."""
    latest: list[dict[str, Any]] = ask(socket, "orders", limit=limit)
    if as_json:
        print(json.dumps(latest, ensure_ascii=False, indent=2))
        return 0
    for order in latest:
        print(
            order["order_id"], order["state"], order["kind"], "due", _local(order["due_at"]), order["unit_id"],
            order["matter_id"], masked(order["callback_number"]), f"+{len(order['merged_calls'])} calls",
            *([f"held: {order['hold_reason']}"] if order["hold_reason"] else []), sep="  ",
        )
    return 0


def calls(socket: Path, *, limit: int, as_json: bool) -> int:
    """Print the latest calls."""
    latest: list[dict[str, Any]] = ask(socket, "calls", limit=limit)
    if as_json:
        print(json.dumps(latest, ensure_ascii=False, indent=2))
        return 0
    for call in latest:
        if "outcome" not in call:  # only its offer is known so far
            print(call["call_id"], masked(call["caller"]), "not over yet", sep="  ")
            continue
        print(
            call["call_id"], _local(call["offered_at"]), masked(call["caller_number"]), call["outcome"],
            f"transfer {call['transfer']}", f"talked {call['two_way_s']} s", f"{len(call['legs'])} legs",
            " ".join(call["order_ids"]), sep="  ",
        )
    return 0


def notices(socket: Path, *, retry: str | None, as_json: bool) -> int:
    """Print receivers and dead letters, or what came of a retry; 1 if there are dead letters (left)."""
    retried = ask(socket, "retry_notice", event_id=retry) if retry else []
    listing = ask(socket, "notices") | {"retried": retried}
    print(json.dumps(listing, ensure_ascii=False, indent=2) if as_json else notices_report.text(listing))
    return 1 if listing["dead_letters"] else 0


def _local(instant: str) -> str:
    return f"{in_shanghai(datetime.fromisoformat(instant)):%Y-%m-%d %H:%M}"
