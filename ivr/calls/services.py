"""What every call of a node shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import PhoneManners
from ivr.calls.presence import Presence
from ivr.speech.prompts import PromptBook
from routing.clock import Clock


@dataclass(frozen=True)
class CallServices:
    """`dial_uri` gives the URI to ring for a number, and the number to show there; `shows` what tells a seat whose call
    it is: a number in place of that, and headers.

    `may_ring` tells whether a number that a phone redirects to may be rung: the gate of outgoing calls is asked.
    `reactor` runs timers; `clock` tells the time of day, and a rehearsal may move it; `monotonic_s` is the machine's,
    as in the lines' events, and is never moved. `tell` hears at once that a call is offered, takes a
    step, has changed (who rings, who talks), has ended.
    """

    reactor: Any  # an IReactorTime; zope's interfaces say little to mypy
    clock: Clock
    prompts: PromptBook
    manners: PhoneManners
    presence: Presence
    recordings: Path
    dial_uri: Callable[[str], tuple[str, str]]
    shows: Callable[[str], tuple[str, dict[str, str]]] = field(default=lambda caller: ("", {}), kw_only=True)
    monotonic_s: Callable[[], float] = time.monotonic
    may_ring: Callable[[str], bool] = lambda number: False
    tell: Callable[[str, Any], None] = lambda what, call: None
