"""The hotline command: builds the service from its rooms and runs it, or answers one question about it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import config
from callback_scheduler.deadlines import deadline
from config.errors import ConfigError
from ivr.calls.desk import masked
from ivr.control import ControlError, ask
from routing.clock import in_shanghai
from routing.site import Site, load_site

DEFAULT_CONFIG = Path(config.__file__).parent / "hotline.yaml"
Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 not as it should be, 2 bad input."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except (ConfigError, ControlError) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hotline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Command, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.set_defaults(command=command)
        sub.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="hotline.yaml (default: the sample)")
        sub.add_argument("--data-dir", type=Path, help="journal, Redis, recordings (default: data_dir of the config)")
        return sub

    serve = add("serve", _serve, "run the service")
    serve.add_argument("--at", type=_instant, help="pretend that it is this moment (a rehearsal)")
    serve.add_argument("--sip", metavar="HOST:PORT", help="listen here instead of at sip.listen")
    serve.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    demo = add("demo", _demo, "play the main job over real SIP with phones of its own, and prove it")
    demo.add_argument("--json", action="store_true", help="print the proof for machines")
    demo.add_argument("--keep", action="store_true", help="leave the service running afterwards, until Ctrl-C")
    check = add("check", _check, "check every configured file, and list every prompt with its length and level")
    check.add_argument("--json", action="store_true")
    due = add("deadline", _deadline, "say until when a call of a given moment must be rung back, and why")
    due.add_argument("--at", type=_instant, required=True, help="ISO 8601; without an offset: Shanghai time")
    due.add_argument("--json", action="store_true")
    for name, listing, help_text in (
        ("orders", _orders, "list the latest work orders of the running node"),
        ("calls", _calls, "list the latest calls of the running node"),
    ):
        listed = add(name, listing, help_text)
        listed.add_argument("--limit", type=int, default=20)
        listed.add_argument("--json", action="store_true")
    return parser


def _instant(text: str) -> datetime:
    try:
        return in_shanghai(datetime.fromisoformat(text.replace("Z", "+00:00")))
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment such as 2026-02-14T18:00+08:00") from wrong


def _serve(options: argparse.Namespace) -> int:
    # Twisted installs its reactor on import, and few commands need one
    from ivr.node import serve  # noqa: PLC0415

    site = _site(options)
    if options.sip:
        sip = site.settings.sip.model_copy(update={"listen": options.sip})
        site = Site(site.settings.model_copy(update={"sip": sip}), site.directory, site.calendar, site.hours)
    return serve(site, at=options.at, ends_with_stdin=options.with_parent)


def _demo(options: argparse.Namespace) -> int:
    from ivr.demo.show import show  # noqa: PLC0415

    return show(options.config, _data_dir(options), as_json=options.json, keep=options.keep)


def _check(options: argparse.Namespace) -> int:
    """Print what is configured and every prompt; 1 if a prompt is not as it should be."""
    # Twisted installs its reactor on import, and few commands need one
    from ivr.speech.prompt_check import prompt_rows  # noqa: PLC0415
    from ivr.speech.prompt_report import table  # noqa: PLC0415

    site = _site(options)
    rows = prompt_rows(site)
    flagged = [row for row in rows if row.flags]
    facts = {
        "matters": len(site.directory.matters),
        "units": len(site.directory.units),
        "seats": len(site.directory.seats),
        "calendar": site.calendar.version,
        "workdays_known_until": site.calendar.covers_until.isoformat(),
        "prompts": len(rows),
        "prompts_flagged": len(flagged),
    }
    if options.json:
        print(json.dumps(facts | {"rows": [asdict(row) for row in rows]}, ensure_ascii=False, indent=2))
    else:
        print(table(rows))
        print("\n" + "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()))
    return 1 if flagged else 0


def _deadline(options: argparse.Namespace) -> int:
    """Print the deadline of a call at `--at`: missed if the line is open then, else after hours."""
    site = load_site(options.config)
    opening = site.hours.opening(options.at, site.calendar)
    due = deadline(site.calendar, options.at, missed_in_hours=opening.is_open)
    if options.json:
        answer = {
            "at": options.at.isoformat(timespec="minutes"),
            "is_open": opening.is_open,
            "due_at": due.due_at.isoformat(timespec="minutes"),
            "reason": due.reason,
            "counted_as": due.counted_as,
            "is_provisional": due.is_provisional,
            "rule_version": due.rule_version,
            "calendar_version": due.calendar_version,
        }
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(due.reason)
    return 0


def _orders(options: argparse.Namespace) -> int:
    orders: list[dict[str, Any]] = ask(_control(options), "orders", limit=options.limit)
    if options.json:
        print(json.dumps(orders, ensure_ascii=False, indent=2))
        return 0
    for order in orders:
        print(
            order["order_id"], order["state"], order["kind"], "due", _local(order["due_at"]), order["unit_id"],
            order["matter_id"], masked(order["callback_number"]), f"+{len(order['merged_calls'])} calls", sep="  ",
        )
    return 0


def _calls(options: argparse.Namespace) -> int:
    calls: list[dict[str, Any]] = ask(_control(options), "calls", limit=options.limit)
    if options.json:
        print(json.dumps(calls, ensure_ascii=False, indent=2))
        return 0
    for call in calls:
        if "outcome" not in call:  # only its offer is known so far
            print(call["call_id"], masked(call["caller"]), "not over yet", sep="  ")
            continue
        print(
            call["call_id"], _local(call["offered_at"]), masked(call["caller_number"]), call["outcome"],
            f"transfer {call['transfer']}", f"talked {call['two_way_s']} s", f"{len(call['legs'])} legs",
            " ".join(call["order_ids"]), sep="  ",
        )
    return 0


def _local(instant: str) -> str:
    return f"{in_shanghai(datetime.fromisoformat(instant)):%Y-%m-%d %H:%M}"


def _site(options: argparse.Namespace) -> Site:
    site = load_site(options.config)
    if options.data_dir is None:
        return site
    settings = site.settings.model_copy(update={"data_dir": options.data_dir})
    return Site(settings, site.directory, site.calendar, site.hours)


def _data_dir(options: argparse.Namespace) -> Path:
    return Path(_site(options).settings.data_dir)


def _control(options: argparse.Namespace) -> Path:
    return _data_dir(options) / "control.sock"


if __name__ == "__main__":
    sys.exit(main())
