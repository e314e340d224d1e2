"""Declares the operations of the API: route, scope, models of request and answer, refusals, in one place each.

The wrapper made here checks what was sent by the declared models and answers with the declared one only; the OpenAPI
document is made of the same declarations. So the three cannot differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from werkzeug.http import parse_options_header

from console.errors import BadInput, Fault, NotFound, Unprocessable, WrongType
from console.http import idempotency
from console.http.messages import JSON, Response
from console.http.routes import Handler, route
from console.visit import Visit

_MOST_FIELDS = 100
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")


def _written(content: Any) -> Any:
    """Refuse seconds since 1970, which pydantic would take, too."""
    if not isinstance(content, str) or not _DAY.match(content):
        raise ValueError("ISO 8601, such as 2026-03-10 or 2026-03-10T09:00:00+08:00")
    return content


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
Day = Annotated[date, BeforeValidator(_written)]


class Query(BaseModel):
    """What any address of the API takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: str | None = Field(default=None, pattern="^(zh|en)$", description="Language of texts for people.")


class Body(BaseModel):
    """A body: JSON, with nothing in it that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """An answer; every field is always there."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A visit of a program whose query and body fit the declaration."""

    visit: Visit
    query: Any
    body: Any

    @property
    def unit_id(self) -> str:
        """The unit that the token is bound to, "" for one that may see all."""
        return self.visit.unit_id

    @property
    def sees_numbers(self) -> bool:
        """Whether the token may see whole phone numbers."""
        return "numbers:full" in self.visit.scopes


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is documented; `refusals` are those beside the ones that every operation has."""

    operation_id: str
    summary: str
    about: str
    tag: str
    answer: type[BaseModel] | None
    status: int = 200
    query: type[Query] = Query
    body: type[Body] | None = None
    refusals: tuple[int, ...] = ()
    has_key: bool = False
    answers_with: str = "application/json"
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)  # answers beside the usual one


Work = Callable[[ApiRequest], Coroutine[Any, Any, BaseModel]]
OPERATIONS: dict[Handler, Operation] = {}


def operation(
    path: str, method: str = "GET", *, scope: str, tag: str, answer: type[BaseModel], summary: str, status: int = 200,
    query: type[Query] = Query, body: type[Body] | None = None, refusals: tuple[int, ...] = (),
    links: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Work], Work]:  # fmt: skip
    """Register what answers an address; one that is not GET needs an Idempotency-Key and is audited."""

    def register(work: Work) -> Work:
        is_act = method != "GET"
        declared = Operation(
            work.__name__, summary, (work.__doc__ or "").strip(), tag, answer, status, query, body,
            (*refusals, 409) if is_act else refusals, is_act, links=links or {},
        )  # fmt: skip

        async def answer_it(visit: Visit) -> Response:
            return await _answered(visit, declared, work)

        answer_it.__name__, answer_it.__module__ = work.__name__, work.__module__
        OPERATIONS[route(path, methods=(method,), scope=scope)(answer_it)] = declared
        return work

    return register


def document(handler: Handler, declared: Operation) -> None:
    """Say what a handler answers that is declared by hand: those of machines that watch the node."""
    OPERATIONS[handler] = declared


async def _answered(visit: Visit, declared: Operation, work: Work) -> Response:
    query = _checked(declared.query, read_query(visit.query), "query")
    if not declared.has_key:
        return _sent(declared, await work(ApiRequest(visit, query, None)))
    key = idempotency.checked(visit.headers.get(idempotency.HEADER))
    body = _body(visit, declared.body) if declared.body else None
    content = json.dumps([visit.method, visit.path, visit.json if declared.body else None], sort_keys=True)

    async def act() -> Response:
        return _sent(declared, await work(ApiRequest(visit, query, body)))

    return await visit.console.idempotency.once(str(visit.actor), key, content, act)


def _sent(declared: Operation, answer: BaseModel) -> Response:
    return Response(declared.status, answer.model_dump_json(by_alias=True).encode(), JSON)


def read_query(query: str) -> dict[str, str]:
    """Return the fields of a query; BadInput if one stands there twice, or too many do."""
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as wrong:
        raise BadInput from wrong
    by_name = dict(fields)
    if len(by_name) < len(fields):
        raise Unprocessable(faults=(Fault(where="query", what="a field stands there twice"),))
    return by_name


def _body(visit: Visit, model: type[Body]) -> BaseModel:
    if parse_options_header(visit.headers.get("content-type", ""))[0] != "application/json":
        raise WrongType
    return _checked(model, visit.json, "body")


def _checked(model: type[BaseModel], content: Any, where: str) -> BaseModel:
    try:
        return model.model_validate(content)
    except ValidationError as wrong:
        faults = tuple(
            Fault(where="/".join([where, *(_plain(step) for step in error["loc"])])[:200], what=error["msg"])
            for error in wrong.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Unprocessable(faults=faults) from wrong


def _plain(step: int | str) -> str:
    return str(step).encode("utf-8", "replace").decode()


def path_id(visit: Visit, name: str) -> str:
    """Return an id from the path; NotFound if it cannot be one."""
    value = visit.args[name]
    if not _ID.fullmatch(value):
        raise NotFound
    return value
