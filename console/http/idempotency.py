"""The same request sent twice acts once: what an act came to is kept under its Idempotency-Key for a day.

A key is noted in Redis before anything is done. If the node dies in between, nobody knows what came of it, and a
request with this key is refused from then on: acting twice would ring somebody twice.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256

from callback_scheduler.errors import UnknownOrder
from console.errors import BadInput, ConsoleError, Fault, Impossible
from console.http.messages import JSON, Response
from console.people.sessions import Shelf
from ivr.refused import OperationRefused

HEADER = "idempotency-key"
KEPT_S = 86_400.0
SHORTEST, LONGEST = 8, 128
_NOTHING_DONE = (ConsoleError, OperationRefused, UnknownOrder)


class Idempotency:
    """The keys of all tokens; two tokens may use the same one."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._under_way: set[str] = set()

    async def once(self, owner: str, key: str, request: str, act: Callable[[], Awaitable[Response]]) -> Response:
        """Act, or return what the same request came to before.

        Impossible while that is under way, if its end is unknown, or if another request had the key.
        """
        name = f"once:{sha256(f'{owner} {key}'.encode()).hexdigest()}"
        digest = sha256(request.encode()).hexdigest()
        if name in self._under_way:
            raise Impossible(key="api.under_way")
        self._under_way.add(name)
        try:
            outcome = await self._shelf.get(name)
            return _replayed(json.loads(outcome), digest) if outcome else await self._first(name, digest, act)
        finally:
            self._under_way.discard(name)

    async def _first(self, name: str, digest: str, act: Callable[[], Awaitable[Response]]) -> Response:
        await self._shelf.put(name, json.dumps({"asked": digest}), KEPT_S)
        try:
            response = await act()
        except _NOTHING_DONE:
            await self._shelf.drop(name)  # a refusal changes nothing, so it may be tried again
            raise
        outcome = {"asked": digest, "status": response.status, "body": response.body.decode()}
        await self._shelf.put(name, json.dumps(outcome), KEPT_S)
        return response


def checked(key: str | None) -> str:
    """Return an Idempotency-Key; BadInput if it is missing or no such key."""
    if key is None:
        raise BadInput(key="api.key_missing")
    if not SHORTEST <= len(key) <= LONGEST or not all("!" <= letter <= "~" for letter in key):
        fault = Fault(where="header/Idempotency-Key", what=f"{SHORTEST} to {LONGEST} printable ASCII characters")
        raise BadInput(key="api.key_wrong", faults=(fault,))
    return key


def _replayed(outcome: dict[str, object], digest: str) -> Response:
    if outcome["asked"] != digest:
        raise Impossible(key="api.key_used")
    if "body" not in outcome:
        raise Impossible(key="api.outcome_unknown")
    again = Response(int(str(outcome["status"])), str(outcome["body"]).encode(), JSON)
    return replace(again, headers=(("Idempotency-Replayed", "true"),))
