"""The parts of the console that handlers reach through their request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.console import ConsoleSettings
from console.http.counters import Metrics
from console.http.events import Hub
from console.http.idempotency import Idempotency
from console.http.jobs import Jobs
from console.http.security import Security
from console.people.accounts import Accounts
from console.people.audit import Audit
from console.people.lockout import FailedLogins
from console.people.passwords import Passwords
from console.people.sessions import Sessions
from console.people.threads import InThread
from console.people.tokens import Tokens
from console.rendering.templates import Templates
from console.rendering.texts import Texts
from node.operations.interfaces import Operations
from routing.clock import Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts. `operations` is the node's (node/operations/interfaces.py).

    `clock` is the machine's own time, also in a rehearsal: sessions do not end because the service pretends that it
    is tomorrow. What the service's time is, `now` says.
    """

    settings: ConsoleSettings
    operations: Operations
    idempotency: Idempotency
    metrics: Metrics
    accounts: Accounts
    passwords: Passwords
    sessions: Sessions
    tokens: Tokens
    failed_logins: FailedLogins
    audit: Audit
    events: Hub
    texts: Texts
    templates: Templates
    security: Security
    clock: Clock
    reactor: Any
    in_thread: InThread  # for what takes longer than a call may wait: charts, waveforms, workbooks
    node_number: int = 1
    jobs: Jobs = field(default_factory=Jobs)
    used_codes: dict[str, int] = field(default_factory=dict)  # the last second factor of each account

    def now(self) -> datetime:
        """Return the service's time, in Asia/Shanghai."""
        return self.operations.now()
