"""The OpenAPI 3.1 document, made of the table of routes and the models that requests and answers are checked by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from console.api.declared import OPERATIONS, Operation, Query, document
from console.http import idempotency
from console.http.messages import JSON, Response
from console.http.problems import PROBLEM, Problem
from console.http.routes import TABLE, Route, route
from console.people.tokens import METRICS, SCOPES
from console.visit import Visit

VERSION = "1.0.0"
_REF = "#/components/schemas/{model}"
# classes that were renamed: programs have been generated from the names published before
_PUBLISHED = {"CallOutcome": "Outcome", "PartyRole": "Role"}
_TAGS = {
    "orders": "Work orders: what units owe enterprises.",
    "calls": "Calls that were, and those of this moment.",
    "reports": "The figures of `hotline report --json`.",
    "online": "Hand-over from the online assistant.",
    "watching": "For machines that watch this node.",
}
_ABOUT = """The 12345 hotline's enterprise line, for programs.

Authentication: a bearer token that an administrator makes in the console; its scopes say what it may do, and it may
be bound to one unit. Phone numbers are masked unless it has `numbers:full`; then each answer is in the audit log.
Acts need an `Idempotency-Key`: the same request sent again within a day answers what the first one did
(`Idempotency-Replayed: true`) and does nothing. Refusals are problem details (RFC 9457), whose `key` is for programs.
"""
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "Chosen by the client, new for each act, the same when it is sent again.",
    "schema": {
        "type": "string", "minLength": idempotency.SHORTEST, "maxLength": idempotency.LONGEST, "pattern": "^[!-~]+$",
    },
}  # fmt: skip


@route("/api/openapi.json", is_public=True, is_impersonal=True)
async def openapi(visit: Visit) -> Response:
    """This document."""
    return Response(200, _text(), JSON)


document(openapi, Operation("openapi", "This document", "OpenAPI 3.1, of this very version.", "watching", None))


@cache
def _text() -> bytes:
    return json.dumps(build(), ensure_ascii=False).encode()


def build(table: Iterable[Route] = TABLE) -> dict[str, Any]:
    """Return the document; KeyError if a route of the API is not declared."""
    declared = [(one, OPERATIONS[one.handler]) for one in table if one.is_api]
    schemas = _schemas([each for _, each in declared])
    paths: dict[str, dict[str, Any]] = {}
    for one, each in sorted(declared, key=lambda pair: pair[0].path):
        path = one.path.replace("<", "{").replace(">", "}")
        for method in one.methods:
            paths.setdefault(path, {})[method.lower()] = _operation(one, each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hotline-12345", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": f"Scopes: {', '.join(SCOPES)}."}
            },
        },
    }


def _schemas(declared: list[Operation]) -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
    for each in declared:
        answers = [model for model in (each.answer, *each.also.values()) if model]
        models |= dict.fromkeys([(model, "serialization") for model in answers])
        if each.body:
            models[each.body, "validation"] = None
    schemas: dict[str, Any] = models_json_schema(list(models), ref_template=_REF)[1]["$defs"]
    return schemas


def _operation(one: Route, each: Operation) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "operationId": each.operation_id,
        "summary": each.summary,
        "description": each.about,
        "tags": [each.tag],
        "security": [{"token": [one.scope]}] if one.scope else [],
        "responses": _responses(one, each),
    }
    if one.scope == METRICS:
        fields["description"] += " Addresses in `console.metrics_from` need no token."
    parameters = [_path_parameter(name) for name in one.part_names]
    parameters += _query_parameters(each.query) if one.path.startswith("/api/v1/") else []
    parameters += [_KEY] if each.has_key else []
    if parameters:
        fields["parameters"] = parameters
    if each.body:
        fields["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(each.body)}}}
    return fields


def _responses(one: Route, each: Operation) -> dict[str, Any]:
    usual: dict[str, Any] = {"description": HTTPStatus(each.status).phrase}
    schema: dict[str, Any] = _ref(each.answer) if each.answer else {}
    if each.answers_with.startswith("text/"):
        schema = {"type": "string"}
    usual["content"] = {each.answers_with.partition(";")[0]: {"schema": schema or {"type": "object"}}}
    if each.has_key:
        usual["headers"] = {
            "Idempotency-Replayed": {"description": "true if this is what came of it before.",
                                     "schema": {"type": "string"}}
        }  # fmt: skip
    if each.links:
        usual["links"] = {name: dict(link) for name, link in each.links.items()}
    responses = {str(each.status): usual}
    for status, model in each.also.items():
        content = {"application/json": {"schema": _ref(model)}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    for status in _refusals(one, each):
        responses.setdefault(str(status), _refusal(status))
    return dict(sorted(responses.items()))


def _refusals(one: Route, each: Operation) -> set[int]:
    statuses = {400, 500, 503} | set(each.refusals)
    if one.scope:
        statuses |= {401, 403, 429}
    if one.path.startswith("/api/v1/"):
        statuses |= {422}
    if each.has_key:
        statuses |= {413, 415}
    return statuses


def _refusal(status: int) -> dict[str, Any]:
    refusal: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": _ref(Problem)}},
    }
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        refusal["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    if status == HTTPStatus.UNAUTHORIZED:
        refusal["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return refusal


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[0-9A-Za-z._-]{1,64}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(model: type[Query]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(by_alias=True, ref_template=_REF)
    kinds = schema.get("$defs", {})
    parameters = []
    for name, whole in schema["properties"].items():
        plain = _without_null(whole, kinds)
        about = plain.pop("description", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": plain}
        if plain.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter | ({"description": about} if about else {}))
    return parameters


def _without_null(schema: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field of a query: it is there or not, never null; enums are written out."""
    plain = {name: value for name, value in schema.items() if name not in ("anyOf", "title")}
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            plain |= choice
    if plain.get("default", 0) is None:
        del plain["default"]
    if "items" in plain:
        plain["items"] = _without_null(plain["items"], kinds)
    if "$ref" in plain:
        kind = kinds[plain.pop("$ref").rpartition("/")[2]]
        plain |= {name: value for name, value in kind.items() if name in ("type", "enum")}
    return plain
