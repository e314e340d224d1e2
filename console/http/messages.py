"""What a handler gets and gives: a request with its actor, and a response, both free of sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from twisted.web.static import File

from console.errors import BadInput
from console.people.roles import Role

if TYPE_CHECKING:
    from console.http.routes import Route
    from console.parts import Parts
    from console.people.accounts import Account
    from console.people.sessions import Session

HTML, JSON, PLAIN = "text/html; charset=utf-8", "application/json; charset=utf-8", "text/plain; charset=utf-8"
# Takes the Twisted request, and writes and finishes it in its own time: event streams, files.
Stream = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to be set; without a value it is taken away."""

    name: str
    value: str = ""
    longest_s: int | None = None
    is_http_only: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: `body`, or a `stream` that writes by itself. `flash` is a word shown on the next page."""

    status: int = 200
    body: bytes = b""
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[Cookie, ...] = ()
    stream: Stream | None = None
    flash: str = ""

    def saying(self, flash: str) -> Response:
        """Return this response with a word for the next page."""
        return replace(self, flash=flash)

    def with_cookie(self, cookie: Cookie) -> Response:
        """Return this response with one more cookie."""
        return replace(self, cookies=(*self.cookies, cookie))


@dataclass(slots=True)
class Notes:
    """What a handler adds to the audit record of its request; a new session of whoever just logged in."""

    about: str = ""
    why: str = ""
    result: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has passed the gate: its route serves the role of `account`, its token is right.

    `args` are the parts of the path and the query (the path wins); `form` has the first value of each field,
    `lists` all of them. `scopes` are those of an API token, and `token_unit_id` the unit it is
    bound to. `query` is the query as it was sent.
    """

    parts: Parts
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
    def operations(self) -> Any:
        """All that the node shows and does; see node/operations/operations.py."""
        return self.parts.operations

    @property
    def role(self) -> Role | None:
        """The role of whoever asks; None if nobody is logged in, or an API token asks."""
        return self.account.role if self.account else None

    @property
    def unit_id(self) -> str:
        """The unit of whoever asks, "" unless its role is UNIT, or its token is bound to one."""
        return self.account.unit_id if self.account else self.token_unit_id

    @property
    def actor(self) -> str:
        """Who asks, as events and the audit log name them: supervisor:王督办, unit:tax:李四, api:a, unit:tax:api:b."""
        if self.account is None:
            name = f"api:{self.token_name}" if self.token_name else self.notes.who
            return f"unit:{self.token_unit_id}:{name}" if self.token_unit_id else name
        parts = (self.account.role.value, self.account.unit_id, self.account.name)
        return ":".join(part for part in parts if part)

    @property
    def other_language_link(self) -> str:
        """This address, in the other language."""
        kept = {name: value for name, value in self.args.items() if name not in self.route.part_names}
        return "?" + urlencode(kept | {"lang": "en" if self.language == "zh" else "zh"})

    def t(self, key: str, **values: object) -> str:
        """Return a text in the language of whoever asks."""
        return self.parts.texts.text(self.language, key, **values)

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

    # -- answers --------------------------------------------------------------------------------------------------

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """Return a page of console/templates."""
        return Response(status, self.parts.templates.render(template, self, values).encode())

    def go(self, path: str) -> Response:
        """Return what sends a browser on to another address of ours (303)."""
        return Response(303, headers=(("Location", path),))

    def answer(self, content: Any, status: int = 200) -> Response:
        """Return JSON; instants become ISO 8601."""
        text = json.dumps(content, ensure_ascii=False, default=_plain)
        return Response(status, text.encode(), JSON)

    def file(self, path: Path, content_type: str, download_as: str = "") -> Response:
        """Return a file, with range requests (206) as players of recordings want them."""
        kept = File(str(path), defaultType=content_type)
        kept.type, kept.encoding = content_type, None
        name = download_as.replace('"', "").replace("\\", "").encode("ascii", "replace").decode()
        headers = (("Content-Disposition", f'attachment; filename="{name}"'),) if name else ()
        return Response(content_type=content_type, headers=headers, stream=kept.render_GET)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.value if hasattr(value, "value") else str(value)
