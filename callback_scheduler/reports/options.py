"""What `hotline report` may be asked; apart from what answers, which is slow to import."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from callback_scheduler.reports.orders import By
from callback_scheduler.reports.rules import RULE_NAMES


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the report may be asked."""
    parser.add_argument("--from", dest="since", type=_day, metavar="DATE",
                        help="first day on which orders were due (default: the first of this month)")  # fmt: skip
    parser.add_argument("--to", dest="until", type=_day, metavar="DATE",
                        help="last day (default: no end)")  # fmt: skip
    parser.add_argument("--unit", default="", help="only this unit_id")
    parser.add_argument("--by", choices=[by.value for by in By], default=By.UNIT.value, help="what a row stands for")
    parser.add_argument("--rule", choices=RULE_NAMES, default=RULE_NAMES[0],
                        help="the same history under another rule (default: that of each order's time)")  # fmt: skip
    parser.add_argument("--misses", action="store_true", help="list every late or missed order with its timeline")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="rows (with --misses: late and missed orders) as CSV")
    form.add_argument("--json", action="store_true", help="everything, for machines")
    form.add_argument("--xlsx", type=Path, metavar="FILE", help="write a workbook")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-03-04") from wrong
