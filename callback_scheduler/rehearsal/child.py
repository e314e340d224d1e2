"""A short rehearsal in a process of its own, for a site that is being previewed: no call waits for it.

Run by a node (`main`): reads a pickled `Wanted` from standard input, prints the result as JSON.
"""

from __future__ import annotations

import argparse
import json
import pickle
import signal
import sys
from dataclasses import dataclass
from datetime import date

from callback_scheduler.rehearsal.command import as_fields, play_quietly
from processes.die_with_parent import end_soon_after, tie_to
from routing.site import Site

_BREACHES_TOLD = 20
_LAST_GRACE_S = 10.0  # to take its folder away, once the node is gone


@dataclass(frozen=True)
class Wanted:
    """What is to be played: `orders` made-up calls on the days from `since` to `until`; `parent` is who asks."""

    site: Site
    since: date
    until: date
    orders: int
    seed: int
    parent: int


def main() -> None:
    """Play what standard input asks for."""
    wanted: Wanted = pickle.load(sys.stdin.buffer)  # from the node that started us
    tie_to(wanted.parent, signal.SIGTERM)  # nothing is left behind then
    end_soon_after(wanted.parent, _LAST_GRACE_S)
    options = argparse.Namespace(since=wanted.since, until=wanted.until, orders=wanted.orders, seed=wanted.seed)
    result = as_fields(play_quietly(wanted.site, options), wanted.site, options)
    result["breaches_in_all"] = len(result["breaches"])
    result["breaches"] = result["breaches"][:_BREACHES_TOLD]
    json.dump(result, sys.stdout)
