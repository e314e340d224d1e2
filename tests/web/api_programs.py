"""A program that uses the API of a console without sockets; see tests/web/visitors.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from console.http.messages import Response
from console.people.tokens import API, SCOPES
from tests.web.visitors import House, Visitor, finished


@dataclass
class Program:
    """Has a token with `scopes`, bound to a unit or not; sends a new Idempotency-Key with each act."""

    house: House
    scopes: tuple[str, ...] = tuple(scope for scope in SCOPES if scope != "numbers:full")
    unit_id: str = ""
    name: str = "chat"
    keys: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        made = self.house.people.tokens.make(API, self.name, 3600, scopes=self.scopes, unit_id=self.unit_id)
        self.token = finished(made)

    def get(self, path: str) -> Response:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, key: str = "") -> Response:
        text = b"" if body is None else json.dumps(body).encode()
        headers = {"idempotency-key": key or f"key-of-{self.name}-{next(self.keys)}"}
        return self.send("POST", path, text, headers | ({"content-type": "application/json"} if text else {}))

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
        sent = {"authorization": f"Bearer {self.token}"} | (headers or {})
        return Visitor(self.house).send(method, path, body, sent)


def told(response: Response) -> Any:
    """Return the answer as JSON."""
    return json.loads(response.body)


def key_of(response: Response) -> tuple[int, str]:
    """Return status and key of a refusal, which must be a problem as RFC 9457 has it."""
    assert response.content_type == "application/problem+json", response.body
    problem = told(response)
    assert problem["status"] == response.status
    assert problem["type"] == f"urn:hotline-12345:{problem['key']}"
    assert problem["detail"]
    return response.status, problem["key"]
