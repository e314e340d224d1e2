"""The URI that a number is rung at; the last question whether it may be, before an INVITE leaves the house."""

from __future__ import annotations

from config.settings import Settings
from ivr.calls.errors import NumberRefused
from routing.dial_rules import dial_rules


class WayOut:
    """Gives each number its URI at the first trunk, or its own if it is one."""

    def __init__(self, settings: Settings) -> None:
        self._sip, self._rules = settings.sip, dial_rules(settings)

    def uri(self, number: str) -> tuple[str, str]:
        """Return the URI a number is rung at, and the URI shown there as ours; NumberRefused if it is not dialled.

        Whoever asks to ring has been asked before, by the rule for what they wanted: this is for what slipped through,
        such as a number that an earlier version kept.
        """
        if not self._rules.may_dial(number):
            raise NumberRefused("this number is not dialled")
        sip, host = self._sip, self._host
        shown = next(iter(sip.own_numbers), "12345")
        if number.startswith("sip:"):
            return number, f"sip:{shown}@{host}"
        trunk = sip.trunks[0]
        transport = ";transport=tcp" if trunk.transport == "tcp" else ""
        user = self._rules.dialled(number, trunk.number_form)
        return f"sip:{user}@{trunk.host}{transport}", f"sip:{trunk.caller_id or shown}@{host}"

    def shows(self, caller: str) -> tuple[str, dict[str, str]]:
        """Return how a seat's or specialist's phone is shown that it is rung for `caller`: a From URI, and headers.

        "" and {} where the trunk is told nothing of callers, and where there is no number to show.
        """
        trunk = next(iter(self._sip.trunks), None)
        if trunk is None or trunk.shows_caller == "no" or self._rules.callback(caller) is None:
            return "", {}
        uri = f"sip:{self._rules.dialled(caller, trunk.number_form)}@{self._host}"
        return (uri, {}) if trunk.shows_caller == "from" else ("", {"P-Asserted-Identity": f"<{uri}>"})  # RFC 3325

    @property
    def _host(self) -> str:
        sip = self._sip
        return (sip.public_address or sip.listen).rpartition(":")[0] or sip.public_address or ""
