"""hotline orders, calls, notices, drain: what a running node says over its operator's socket, printed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.notices import command as notices_report
from node.control_client import ask
from routing.clock import in_shanghai
from routing.phone_numbers import masked
from routing.visible import visible_line


def orders(socket: Path, *, limit: int, as_json: bool) -> int:
    """Print the latest orders."""
    latest: list[dict[str, Any]] = ask(socket, "orders", limit=limit)
    if as_json:
        print(json.dumps(latest, ensure_ascii=False, indent=2))
        return 0
    for order in latest:
        _print_line(
            order["order_id"], order["state"], order["kind"], "due", _local(order["due_at"]), order["unit_id"],
            order["matter_id"], masked(order["callback_number"]), f"+{len(order['merged_calls'])} calls",
            *([f"held: {order['hold_reason']}"] if order.get("hold_reason") else []),
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
            _print_line(call["call_id"], masked(call["caller"]), "not over yet")
            continue
        _print_line(
            call["call_id"], _local(call["offered_at"]), masked(call["caller_number"]), call["outcome"],
            f"transfer {call['transfer']}", f"talked {call['two_way_s']} s", f"{len(call['legs'])} legs",
            " ".join(call["order_ids"]),
        )
    return 0


def drain(socket: Path, *, as_json: bool) -> int:
    """Let a node take no more calls, and end when the last is over; print how many there are."""
    status: dict[str, Any] = ask(socket, "drain")
    if as_json:
        print(json.dumps(status))
    else:
        print(f"draining: {status['calls']} calls go on; the node ends after the last, or in {status['left_s']} s")
    return 0


def notices(socket: Path, *, retry: str | None, as_json: bool) -> int:
    """Print receivers and dead letters, or what came of a retry.

    Returns 1 if there are dead letters (left), or a receiver lets us in no more.
    """
    retried = ask(socket, "retry_notice", event_id=retry) if retry else []
    listing = ask(socket, "notices") | {"retried": retried}
    print(json.dumps(listing, ensure_ascii=False, indent=2) if as_json else notices_report.text(listing))
    is_closed = any(receiver.get("is_closed") for receiver in listing["receivers"])
    return 1 if listing["dead_letters"] or is_closed else 0


def _print_line(*fields: str) -> None:
    """Print one line: what is in a field may not begin another."""
    print("  ".join(map(visible_line, fields)))


def _local(instant: str) -> str:
    return f"{in_shanghai(datetime.fromisoformat(instant)):%Y-%m-%d %H:%M}"
