"""Second factors: codes of an authenticator (RFC 6238), each of them good once."""

from __future__ import annotations

import pyotp

from console.people.accounts import Account
from routing.clock import Clock

_DRIFTS = (0, -1, 1)  # a phone's clock may be a step of 30 s off


class SecondFactors:
    """Checks codes; the last step that was used is remembered for each account, in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used_steps: dict[str, int] = {}

    def fits(self, account: Account, code: str, secret: str = "") -> bool:
        """Whether a code of the account's secret (or another) is right now, and was not used before (RFC 6238 5.2)."""
        code = "".join(code.split())
        totp = pyotp.TOTP(secret or account.totp_secret)
        now = self._clock.now()
        for drift in _DRIFTS:
            step = int(now.timestamp()) // totp.interval + drift
            is_right = code.isascii() and pyotp.utils.strings_equal(code, totp.generate_otp(step))
            if is_right and self._used_steps.get(account.name, 0) < step:
                self._used_steps[account.name] = step
                return True
        return False
