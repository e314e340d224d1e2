"""How the API refuses: problem details as RFC 9457 has them, of one shape for every refusal."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from console.errors import Fault

PROBLEM = "application/problem+json"


class Problem(BaseModel):
    """A refusal; nothing was changed unless `key` says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="`urn:hotline-12345:` and the key.", examples=["urn:hotline-12345:error.404"])
    title: str = Field(description="The phrase of the status, in English.", examples=["Not Found"])
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="The reason, for people: Chinese, with `?lang=en` English where there is a text.")
    instance: str = Field(description="The path that was asked for.")
    key: str = Field(description="The reason, for programs.", examples=["refused.order.calling_back"])
    faults: list[Fault] = Field(default=[], description="With 400 and 422: what exactly is wrong.")


def problem(status: int, key: str, detail: str, instance: str, faults: tuple[Fault, ...] = ()) -> bytes:
    """Return a refusal as it is sent."""
    refusal = Problem(
        type=f"urn:hotline-12345:{key}", title=HTTPStatus(status).phrase, status=status, detail=detail,
        instance=instance, key=key, faults=list(faults),
    )  # fmt: skip
    return refusal.model_dump_json().encode()
