"""The hotline command: builds the service from its rooms and runs it, or answers one question about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

import config
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.reports import options as report_options
from config import yaml_lines
from config.console import ConsoleSettings
from config.errors import ConfigError, Fault
from config.settings import Settings
from node.control_client import ControlError, ask
from node.readiness import check_ready
from node.ways_out import what_to_do
from routing.clock import in_shanghai
from routing.site import Site, load_site
from routing.site_changes import FOLDER, with_changes
from routing.visible import VisibleStream, visible

if TYPE_CHECKING:  # Twisted installs its reactor on import, and few commands need one
    from node.console_port import OpenConsole

DEFAULT_CONFIG = Path(config.__file__).parent / "hotline.yaml"
Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 not as it should be, 2 bad input."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        with _printing_visibly(command):
            return command(options)
    except (ConfigError, ControlError) as wrong:
        print(visible(str(wrong)), file=sys.stderr)
        if command is _serve:
            print(f"what to do: {what_to_do(wrong)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0


@contextmanager
def _printing_visibly(command: Command) -> Iterator[None]:
    """Let a command print texts of callers and units without a terminal obeying them; the service prints JSON."""
    if command is _serve or command is _demo:
        yield
        return
    streams: Any = VisibleStream(sys.stdout), VisibleStream(sys.stderr)
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        yield


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
    serve.add_argument("--console", metavar="HOST:PORT", help="open the web console here, whatever console says")
    serve.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    demo = add("demo", _demo, "play the main job over real SIP with phones of its own, and prove it")
    demo.add_argument("--json", action="store_true", help="print the proof for machines")
    demo.add_argument("--keep", action="store_true", help="leave the service running afterwards, until Ctrl-C")
    check = add("check", _check, "check every configured file, and list every prompt with its length and level")
    check.add_argument("--json", action="store_true")
    verify_journal = add("verify", _verify, "check that the journal is whole, and name the first record that is not")
    verify_journal.add_argument("--json", action="store_true")
    read = add("journal", _journal, "print the records of the journal, one JSON object a line, as far as not forgotten")
    read.add_argument("--folder", type=Path, help="a journal set aside (default: that of data_dir)")
    read.add_argument("--type", default="", metavar="TYPE", help="only records of this type, such as order_opened")
    read.add_argument("--after", type=int, default=0, metavar="N", help="only those behind record N")
    played = add("rehearse", _rehearse, "play a period with made-up people: which orders would breach, and why")
    played.add_argument("--from", dest="since", type=date.fromisoformat, required=True, metavar="DATE",
                        help="first day on which people ring")  # fmt: skip
    played.add_argument("--to", dest="until", type=date.fromisoformat, required=True, metavar="DATE",
                        help="last day; what they leave is played up to its deadline")  # fmt: skip
    played.add_argument("--orders", type=int, default=100, metavar="N", help="how many calls leave an order")
    played.add_argument("--seed", type=int, default=1, help="the same seed comes to the same end (default: 1)")
    played.add_argument("--all", action="store_true", help="list every breach")
    played.add_argument("--json", action="store_true", help="everything, for machines")
    due = add("deadline", _deadline, "say until when a call of a given moment must be rung back, and why")
    due.add_argument("--at", type=_instant, required=True, help="ISO 8601; without an offset: Shanghai time")
    due.add_argument("--json", action="store_true")
    told = add("report", _report, "say what became of the orders: on time, late, missed, and how calls were answered")
    told.add_argument("--at", type=_instant, help="as it was known at this moment (default: now)")
    report_options.add_options(told)
    backup = add("backup", _backup, "copy journal, recordings and configuration into one archive; the node may run")
    backup.add_argument("archive", type=Path, help="the .tar.gz to be made")
    put_back = add("restore", _restore, "put a backup onto an empty data_dir, checked file by file")
    put_back.add_argument("archive", type=Path)
    notices = add("notices", _notices, "say how far every receiver has been told, and list what they refused")
    notices.add_argument("--retry", metavar="ID", help="send a dead letter once more, or all of them: all")
    notices.add_argument("--json", action="store_true")
    drained = add("drain", _drain, "let the running node take no more calls, and end when the last one is over")
    drained.add_argument("--json", action="store_true")
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
    from node.serve import serve  # noqa: PLC0415

    site = _site(options)
    if options.sip:
        sip = site.settings.sip.model_copy(update={"listen": options.sip})
        site = Site(site.settings.model_copy(update={"sip": sip}), site.directory, site.calendar, site.hours)
    open_console = _console(options, site)
    check_ready(_opened_at(options, site.settings), yaml_lines.read(options.config))
    return serve(site, at=options.at, ends_with_stdin=options.with_parent, open_console=open_console)


def _console(options: argparse.Namespace, site: Site) -> OpenConsole | None:
    """Return what makes the web console; None if there is to be none."""
    from console.site import WebConsole  # noqa: PLC0415

    settings = _opened_at(options, site.settings)
    if not settings.console.enabled:
        return None
    return lambda operations, shelf, _, reactor: WebConsole(operations, shelf, settings, reactor)


def _opened_at(options: argparse.Namespace, settings: Settings) -> Settings:
    """Return the settings with the console open where the command line says."""
    if not options.console:
        return settings
    try:
        given = settings.console.model_dump() | {"enabled": True, "listen": options.console}
        console = ConsoleSettings.model_validate(given)
    except ValidationError as wrong:
        faults = [Fault("--console", 0, "", str(error["msg"])) for error in wrong.errors()]
        raise ConfigError(faults) from wrong
    return settings.model_copy(update={"console": console})


def _demo(options: argparse.Namespace) -> int:
    from demo.show import show  # noqa: PLC0415

    return show(options.config, _data_dir(options), as_json=options.json, keep=options.keep)


def _check(options: argparse.Namespace) -> int:
    # Twisted installs its reactor on import, and few commands need one
    from ivr.speech.check_command import run  # noqa: PLC0415

    site = _site(options)
    check_ready(site.settings, yaml_lines.read(options.config))
    return run(site, as_json=options.json)


def _verify(options: argparse.Namespace) -> int:
    # only this command reads journal and Redis by itself
    from console.people.verify_command import run  # noqa: PLC0415

    return run(_site(options).settings, as_json=options.json)


def _journal(options: argparse.Namespace) -> int:
    from callback_scheduler.journal.command import run  # noqa: PLC0415

    return run(options.folder or _site(options).settings.data_dir / "journal", options.type, options.after)


def _rehearse(options: argparse.Namespace) -> int:
    # Twisted installs its reactor on import, and few commands need one
    from callback_scheduler.rehearsal.command import run  # noqa: PLC0415

    return run(_site(options), options)


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


def _report(options: argparse.Namespace) -> int:
    from callback_scheduler.reports.command import run  # noqa: PLC0415

    return run(_site(options), options)


def _backup(options: argparse.Namespace) -> int:
    from callback_scheduler.backup.command import run_backup  # noqa: PLC0415

    os.umask(0o077)
    try:  # a running node knows what is on disk for good
        until = ask(_control(options), "status")["ledger"]["journal"]["position"]
    except ControlError:
        until = None
    return run_backup(_site(options), options.config, options.archive, until)


def _restore(options: argparse.Namespace) -> int:
    from callback_scheduler.backup.command import run_restore  # noqa: PLC0415

    os.umask(0o077)  # what is restored is for this user only
    # no configuration is read where there is none yet
    return run_restore(options.archive, options.data_dir or _data_dir(options))


def _notices(options: argparse.Namespace) -> int:
    from node.listings import notices  # noqa: PLC0415

    return notices(_control(options), retry=options.retry, as_json=options.json)


def _drain(options: argparse.Namespace) -> int:
    from node.listings import drain  # noqa: PLC0415

    return drain(_control(options), as_json=options.json)


def _orders(options: argparse.Namespace) -> int:
    from node.listings import orders  # noqa: PLC0415

    return orders(_control(options), limit=options.limit, as_json=options.json)


def _calls(options: argparse.Namespace) -> int:
    from node.listings import calls  # noqa: PLC0415

    return calls(_control(options), limit=options.limit, as_json=options.json)


def _site(options: argparse.Namespace) -> Site:
    site = load_site(options.config)
    if options.data_dir is not None:
        settings = site.settings.model_copy(update={"data_dir": options.data_dir})
        site = Site(settings, site.directory, site.calendar, site.hours)
    return with_changes(site, Path(site.settings.data_dir) / FOLDER)


def _data_dir(options: argparse.Namespace) -> Path:
    return Path(_site(options).settings.data_dir)


def _control(options: argparse.Namespace) -> Path:
    return _data_dir(options) / "control.sock"


if __name__ == "__main__":
    sys.exit(main())
