"""A visit: who asks, and of which console; a handler takes one, and answers with what it makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from twisted.web.static import File

from callback_scheduler.orders.actor import Actor, ActorRole
from console.errors import BadInput
from console.http.counters import Metrics
from console.http.events import Hub
from console.http.idempotency import Idempotency
from console.http.jobs import Jobs
from console.http.messages import JSON, Response, Upload
from console.http.ranges import keep_plain_range
from console.http.routes import Route, navigation
from console.http.security import Security
from console.people.accounts import Account
from console.people.audit import Audit
from console.people.people import People
from console.people.roles import Role
from console.people.sessions import Session
from console.people.threads import InThread
from console.rendering.spoken_time import measurer, speaker
from console.rendering.templates import Templates, cause_words
from console.rendering.texts import DEFAULT, Texts
from ivr.refused import OperationRefused
from node.operations.interfaces import Operations


@dataclass(frozen=True, slots=True)
class Console:
    """What stands behind every page of a node's console.

    `operations` is the node's (node/operations/interfaces.py); `in_thread` is for what takes longer than a call may
    wait: charts, waveforms, workbooks.
    """

    node_number: int
    operations: Operations
    people: People
    audit: Audit
    security: Security
    texts: Texts
    templates: Templates
    events: Hub
    jobs: Jobs
    idempotency: Idempotency
    metrics: Metrics
    in_thread: InThread


@dataclass(slots=True)
class Notes:
    """What a handler adds to the audit record of its visit; `name` is the one that somebody gave at log-in."""

    about: str = ""
    why: str = ""
    result: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that has passed the gate: its route serves the role of `account`, its token is right.

    `args` are the parts of the path and the query (the path wins); `form` has the first value of each field,
    `lists` all of them. `scopes` are those of an API token, and `token_unit_id` the unit it is
    bound to. `query` is the query as it was sent.
    """

    console: Console
    route: Route
    method: str
    path: str
    address: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    language: str = "zh"
    account: Account | None = None
    session: Session | None = None
    query: str = ""
    token_name: str = ""
    token_unit_id: str = ""
    scopes: frozenset[str] = frozenset()
    form_token: str = ""
    notes: Notes = field(default_factory=Notes)

    @property
    def operations(self) -> Operations:
        """All that the node shows and does; see node/operations/interfaces.py."""
        return self.console.operations

    @property
    def people(self) -> People:
        """Who may log in, is logged in, or asks with a token."""
        return self.console.people

    @property
    def role(self) -> Role | None:
        """The role of whoever asks; None if nobody is logged in, or an API token asks."""
        return self.account.role if self.account else None

    @property
    def unit_id(self) -> str:
        """The unit of whoever asks, "" unless its role is UNIT, or its token is bound to one."""
        return self.account.unit_id if self.account else self.token_unit_id

    @property
    def actor(self) -> Actor:
        """Who asks, as events and the audit log name them; a token that is bound to a unit acts in its name."""
        if self.account is not None:
            return Actor(ActorRole(self.account.role.value), self.account.name, self.account.unit_id)
        if not self.token_name:
            return Actor(ActorRole.OTHER, self.notes.name)
        program = Actor(ActorRole.PROGRAM, self.token_name)
        return Actor(ActorRole.UNIT, str(program), self.token_unit_id) if self.token_unit_id else program

    @property
    def other_language_link(self) -> str:
        """This address, in the other language."""
        query = {name: value for name, value in self.args.items() if name not in self.route.part_names}
        return "?" + urlencode(query | {"lang": "en" if self.language == "zh" else "zh"})

    def now(self) -> datetime:
        """Return the service's time, in Asia/Shanghai; in a rehearsal it is not the machine's."""
        at: datetime = self.operations.now()
        return at

    def t(self, key: str, **values: object) -> str:
        """Return a text in the language of whoever asks."""
        return self.console.texts.text(self.language, key, **values)

    def has_text(self, key: str) -> bool:
        """Whether there is a text under a key."""
        return self.console.texts.has(key)

    def speaker(self) -> Callable[..., str]:
        """Return what says an instant in the language of whoever asks: see rendering/spoken_time.py."""
        return speaker(self.t, self.now().date())

    def measurer(self) -> Callable[[float], str]:
        """Return what says a length of time in the language of whoever asks: see rendering/spoken_time.py."""
        return measurer(self.t)

    def needed(self, name: str) -> str:
        """Return a field of the form, stripped; BadInput if it is missing or empty."""
        value = self.form.get(name, "").strip()
        if not value:
            raise BadInput(self.t("error.field_missing", field=name))
        return value

    def note(self, about: str = "", why: str = "", result: str = "") -> None:
        """Say what the audit record of this request is about, why it was done, what came of it."""
        self.notes.about, self.notes.why = about or self.notes.about, why or self.notes.why
        self.notes.result = result or self.notes.result

    def note_played(self, file: Path) -> None:
        """Note who listens: once for a player, which asks for the beginning first and then for more."""
        if self.headers.get("range", "bytes=0-").strip().startswith("bytes=0-"):
            self.note(about=f"{self.args['order_id']} {file.name}", result="recording played")

    # -- answers --------------------------------------------------------------------------------------------------

    def words_of(self, refused: OperationRefused) -> str:
        """Return why the node refuses something, in the language of the page."""
        key = f"refused.{refused.key}"
        return refused.text if self.language == DEFAULT or not self.has_text(key) else self.t(key)

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """Return a page of console/rendering/templates: drawn from `values`, and from what each page shows."""
        return Response(status, self.console.templates.render(template, self._frame() | values).encode())

    def _frame(self) -> dict[str, object]:
        """Return what base.html and the parts of pages are drawn from, by the names that templates use."""
        session = self.session
        return {
            "t": self.t,
            "has_text": self.has_text,
            "lang": self.language,
            "cause_words": cause_words(self.language),
            "account": self.account,
            "nav": navigation(self.role) if self.role else [],
            "address_path": self.path,
            "other_language_link": self.other_language_link,
            "csrf": session.csrf if session else self.form_token,
            "flashes": session.flashes if session else (),
            "now": self.now(),
            "node_number": self.console.node_number,
        }

    def go(self, path: str) -> Response:
        """Return what sends a browser on to another address of ours (303)."""
        return Response(303, headers=(("Location", path),))

    def answer(self, content: Any, status: int = 200) -> Response:
        """Return JSON; instants become ISO 8601."""
        text = json.dumps(content, ensure_ascii=False, default=_plain)
        return Response(status, text.encode(), JSON)

    def file(self, path: Path, content_type: str, download_as: str = "") -> Response:
        """Return a file, with range requests (206) as players of recordings want them."""
        served = File(str(path), defaultType=content_type)
        served.type, served.encoding = content_type, None
        name = download_as.replace('"', "").replace("\\", "").encode("ascii", "replace").decode()
        headers = (("Content-Disposition", f'attachment; filename="{name}"'),) if name else ()

        def stream(request: Any) -> Any:
            keep_plain_range(request, served.getsize() if served.exists() else 0)
            return served.render_GET(request)

        return Response(content_type=content_type, headers=headers, stream=stream)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.value if hasattr(value, "value") else str(value)
