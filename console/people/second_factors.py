"""Second factors: codes of an authenticator (RFC 6238), each of them good once."""

from __future__ import annotations

import pyotp

from console.people.accounts import Account, Accounts
from routing.clock import Clock

_DRIFTS = (0, -1, 1)  # a phone's clock may be a step of 30 s off


class SecondFactors:
    """Checks codes; the last step that was used lies with the account, so that no restart makes a code good again."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts, self._clock = accounts, clock

    async def fits(self, account: Account, code: str, secret: str = "") -> bool:
        """Whether a code of the account's secret (or another) is right now, and was not used before (RFC 6238 5.2).

        Raises NotStored if the disk does not take that it is used.
        """
        code = "".join(code.split())
        totp = pyotp.TOTP(secret or account.totp_secret)
        present = int(self._clock.now().timestamp()) // totp.interval
        for step in (present + drift for drift in _DRIFTS):
            if code.isascii() and pyotp.utils.strings_equal(code, totp.generate_otp(step)):
                return await self._accounts.use_step(account.name, step, newest=present + max(_DRIFTS))
        return False
