"""The table of routes: every address of the console, with who may use it, in one list that a test walks.

A room registers a handler with `@route`; whoever is not named there is refused by the gate before the handler runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from console.http.messages import Response
from console.people.roles import Role

# It takes what the gate hands it, a Visit: routes stand below and need not know what that is.
Handler = Callable[[Any], Coroutine[Any, Any, Response]]
SAFE_METHODS = frozenset({"GET", "HEAD"})
# The audit log outlives the layout of the code: a page that has moved house keeps the name of its first record.
_NAMED_BEFORE = {
    "admin.overview": "admin",
    "admin.calendar": "admin_calendar",
    "admin.directory": "admin_directory",
    "admin.hours": "admin_hours",
    "admin.hours_edit": "admin_hours_edit",
    "admin.prompts": "admin_prompts",
    "admin.trial": "admin_trial",
    "seat.page": "seat",
    "unit.inbox": "unit",
    "unit.people": "unit_people",
    "wall.page": "wall",
}
_PART = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


@dataclass(frozen=True, slots=True)
class Route:
    """One address: its `path` (werkzeug's rules), the methods it takes, and who may use it.

    Exactly one of `roles`, `scope` (of an API token) and `is_public` says who. `nav` is the text key under which the
    page stands in the navigation of its roles, in the order of `nav_order`. What an `is_unmask` route answers is not
    sent before the audit log has it. `name` is what the audit log calls it. What `is_impersonal` is the same for
    everybody: who asks is not looked up, so that it is there while Redis is away.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    roles: frozenset[Role] = frozenset()
    scope: str = ""
    is_public: bool = False
    nav: str = ""
    nav_order: int = 50
    is_unmask: bool = False
    max_body_bytes: int = 0
    is_impersonal: bool = False

    @property
    def name(self) -> str:
        """Page and handler, as the audit log has always called them: compliance.order_page, admin_hours.undo."""
        module = self.handler.__module__.removeprefix("console.")
        page = _NAMED_BEFORE.get(module, module.rpartition(".")[2])
        return f"{page}.{getattr(self.handler, '__name__', '?')}"

    @property
    def is_api(self) -> bool:
        """Whether refusals are JSON here, not pages."""
        return is_api(self.path)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the variable parts of the path."""
        return tuple(_PART.findall(self.path))

    def example(self, value: str = "x") -> str:
        """Return an address of this route, with `value` in each variable part."""
        return _PART.sub(value, self.path)

    def matches(self, path: str) -> bool:
        """Whether an address is of this route."""
        pattern = "".join(
            "[^/]+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<[^>]+>)", self.path)
        )
        return re.fullmatch(pattern, path) is not None

    def serves(self, role: Role | None) -> bool:
        """Whether a role may use it."""
        return role in self.roles


TABLE: list[Route] = []


def is_api(path: str) -> bool:
    """Whether an address is for programs."""
    return path.startswith(("/api/", "/metrics", "/healthz", "/readyz"))


def route(
    path: str,
    methods: tuple[str, ...] = ("GET",),
    *,
    roles: tuple[Role, ...] = (),
    scope: str = "",
    is_public: bool = False,
    nav: str = "",
    nav_order: int = 50,
    is_unmask: bool = False,
    max_body_bytes: int = 0,
    is_impersonal: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler; ValueError if it is not said who may use it, or the address is taken."""
    if (bool(roles), bool(scope), is_public).count(True) != 1:
        raise ValueError(f"{path}: exactly one of roles, scope and is_public says who may use it")
    if is_impersonal and not is_public:
        raise ValueError(f"{path}: whoever may not use it must be told apart")

    def register(handler: Handler) -> Handler:
        new = Route(
            path, methods, handler, frozenset(roles), scope, is_public, nav, nav_order, is_unmask, max_body_bytes,
            is_impersonal,
        )  # fmt: skip
        taken = [one for one in TABLE if one.path == path and set(one.methods) & set(methods)]
        if taken:
            raise ValueError(f"{path} {methods}: taken by {taken[0].name}")
        TABLE.append(new)
        return handler

    return register


def navigation(role: Role) -> list[Route]:
    """Return what stands in the navigation of a role, in its order."""
    return sorted((one for one in TABLE if one.nav and one.serves(role)), key=lambda one: one.nav_order)
