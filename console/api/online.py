"""The hand-over from the online assistant: a chat asks for a call now or a callback, and how soon somebody reacted."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from console.api.declared import Answer, ApiRequest, Body, Query, operation, path_id
from console.errors import Fault, NotAllowed, NotFound, Unprocessable
from node.operations.online import online_since
from routing.search import DirectorySearch, FoundKind

_MATTERS = 5


class OnlineRequest(Body):
    """What the chat wants; `matter_id`, or a text that names the matter."""

    matter_id: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,64}$")
    text: str = Field(default="", max_length=4000, description="What the enterprise typed; kept with the order.")
    number: str = Field(min_length=5, max_length=64, description="The phone to ring, in any form.")
    wants: Literal["call_now", "callback"]
    company: str = Field(default="", max_length=100, description="The enterprise's name.")
    contact: str = Field(default="", max_length=100, description="Whom to ask for there.")

    @model_validator(mode="after")
    def _has_matter(self) -> OnlineRequest:
        if self.matter_id is None and not self.text.strip():
            raise ValueError("matter_id or text must say what it is about")
        return self


class OnlineOpened(Answer):
    """What the chat can tell the enterprise at once."""

    order_id: str
    matter_id: str
    was_merged: bool = Field(description="An open order of this number and matter took the request up.")
    asked_at: datetime
    due_at: datetime = Field(description="The latest time of the callback.")
    is_text_kept: bool = Field(description="False: the order is there, its text could not be stored; send it again.")
    is_calling: bool = Field(description="The unit's phone rings now; the enterprise's follows.")
    why_not_calling: str = Field(description="line.closed out of hours, lines.none_free, …; empty if it rings.")


class OnlineState(Answer):
    """How a request stands."""

    order_id: str
    state: OrderState
    unit_id: str
    asked_at: datetime
    due_at: datetime
    first_response_at: datetime | None = Field(description="When somebody at the unit first reacted to it.")
    first_response_s: float | None
    reached_at: datetime | None
    written_answer: str
    closed_at: datetime | None


class MatterAnswer(Answer):
    """A matter that can be asked about here."""

    matter_id: str
    name: str
    unit_id: str


class Matters(Answer):
    """Matters, those that fit best first."""

    matters: list[MatterAnswer]


class MattersQuery(Query):
    """What is looked for."""

    q: str | None = Field(default=None, min_length=1, max_length=60, description="Chinese, pinyin or initials.")


STATE_LINK = {"state": {"operationId": "online_state", "parameters": {"order_id": "$response.body#/order_id"}}}


@operation(
    "/api/v1/online-requests", "POST", scope="online:write", tag="online", answer=OnlineOpened, body=OnlineRequest,
    status=201, links=STATE_LINK, summary="Ask for a call now, or a callback",
)  # fmt: skip
async def ask_online(request: ApiRequest) -> OnlineOpened:
    """An order is opened in any case, so that nothing is lost if the call does not come about.

    With a text alone the matter is the only one that it names; if that is none or several, 422 names them in
    `faults`, for the chat to ask.
    """
    wish: OnlineRequest = request.body
    visit = request.visit
    matter_id = wish.matter_id or _matter_of(request, wish.text)
    if request.unit_id and not any(one.matter_id == matter_id for one in _matters(request)):
        raise NotAllowed(key="api.other_unit")
    opened = await visit.operations.online.open_for_online(
        matter_id, wish.number, wish.text, wish.wants, visit.actor, company=wish.company, contact=wish.contact
    )
    visit.note(about=opened["order_id"])
    return OnlineOpened(matter_id=matter_id, **opened)


@operation(
    "/api/v1/online-requests/<order_id>", scope="online:write", tag="online", answer=OnlineState, refusals=(404,),
    summary="How a request stands",
)  # fmt: skip
async def online_state(request: ApiRequest) -> OnlineState:
    """Only orders that a chat asked for; no phone number is told."""
    visit = request.visit
    order: Order | None = await visit.operations.orders.one(path_id(visit, "order_id"))
    asked_at = online_since(order) if order is not None else None
    if order is None or asked_at is None or request.unit_id not in ("", order.unit_id):
        raise NotFound(key="api.no_order")
    return OnlineState(
        order_id=order.order_id, state=order.state, unit_id=order.unit_id, asked_at=asked_at,
        due_at=order.due_at, first_response_at=order.first_response_at,
        first_response_s=await visit.operations.online.first_response_s(order.order_id),
        reached_at=order.reached_at, written_answer=order.written_answer, closed_at=order.closed_at,
    )  # fmt: skip


@operation(
    "/api/v1/matters", scope="online:write", tag="online", answer=Matters, query=MattersQuery,
    summary="What can be asked about",
)  # fmt: skip
async def matters(request: ApiRequest) -> Matters:
    """All matters that are served here, or those that fit what is looked for."""
    query: MattersQuery = request.query
    return Matters(matters=_matters(request) if query.q is None else _matters_named(request, query.q))


def _matters(request: ApiRequest) -> list[MatterAnswer]:
    return [
        MatterAnswer(matter_id=one.matter_id, name=one.name, unit_id=one.unit_id)
        for one in request.visit.operations.directory.matters
        if one.belongs_elsewhere is None and request.unit_id in ("", one.unit_id)
    ]


def _matters_named(request: ApiRequest, words: str) -> list[MatterAnswer]:
    served = {one.matter_id: one for one in _matters(request)}
    results = DirectorySearch(request.visit.operations.directory).find(words)
    return [served[one.key] for one in results if one.kind is FoundKind.MATTER and one.key in served]


def _matter_of(request: ApiRequest, text: str) -> str:
    """Return the one matter whose name or alias stands in a text; Unprocessable if that is none or several."""
    named: dict[str, str] = {
        one.matter_id: one.name
        for one in request.visit.operations.directory.matters
        if one.belongs_elsewhere is None and any(name in text for name in (one.name, *one.aliases))
    }
    if len(named) == 1:
        return next(iter(named))
    choices = [f"{matter_id} {name}" for matter_id, name in list(named.items())[:_MATTERS]]
    faults = [Fault(where="body/text", what=f"may be about {one}") for one in choices]
    missing = Fault(where="body/matter_id", what="the text names no matter")
    raise Unprocessable(key="api.which_matter", faults=tuple(faults) or (missing,))
