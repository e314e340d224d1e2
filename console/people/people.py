"""The people of a console: who they are, how they prove it, and what they are given to show."""

from __future__ import annotations

from dataclasses import dataclass

from console.people.accounts import Accounts
from console.people.devices import KnownDevices
from console.people.lockout import FailedLogins
from console.people.passwords import Passwords
from console.people.second_factors import SecondFactors
from console.people.sessions import Sessions
from console.people.tokens import Tokens


@dataclass(frozen=True, slots=True)
class People:
    """All that is known of who may log in, is logged in, or asks with a token."""

    accounts: Accounts
    passwords: Passwords
    second_factors: SecondFactors
    sessions: Sessions
    tokens: Tokens
    failed_logins: FailedLogins
    devices: KnownDevices
