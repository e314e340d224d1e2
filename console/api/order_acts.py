"""What programs do with orders: the same acts as people do, with the same refusals, each once for its key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from console.api.declared import ApiRequest, Body, operation
from console.api.hidden import note_numbers
from console.api.order_models import OrderAnswer, order_answer
from console.api.orders import visible_order
from console.errors import NotAllowed
from node.operations.interfaces import Orders

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"\S")]


class Why(Body):
    """A reason, kept in the journal."""

    why: Text


class Told(Body):
    """A text, kept in the journal."""

    text: Text


class RingBack(Body):
    """Which phone of the unit rings first."""

    number: str = Field(min_length=2, max_length=64, description="One of the unit's numbers in the directory.")


class NewNumber(Why):
    """The number that somebody has found out, and how."""

    number: str = Field(min_length=5, max_length=64, description="In any form that China writes numbers in.")


class Reassign(Why):
    """The unit that shall have the order."""

    unit_id: str = Field(pattern=r"^[a-z0-9_]{1,64}$")


class Enterprise(Body):
    """Who is to be rung back; what is empty stays as it is known."""

    company: str = Field(default="", max_length=100)
    contact: str = Field(default="", max_length=100, description="Whom to ask for.")


Act = Callable[[Orders, str, Any, Actor], Awaitable[Order]]  # operations on orders, order_id, body, who


@dataclass(frozen=True, slots=True)
class _Declared:
    """One act: its path below the order, its name, what it is, and how it is done."""

    path: str
    name: str
    summary: str
    about: str
    act: Act
    body: type[Body] | None = None
    is_for_units: bool = False  # whether a token that is bound to a unit may do it


_ACTS = (
    _Declared(
        "acknowledge", "acknowledge", "The unit has seen the order", "May come late and again; it takes nothing back.",
        lambda orders, one, body, who: orders.acknowledge(one, who), is_for_units=True,
    ),
    _Declared(
        "ring-now", "ring_now", "Ring the unit, then the enterprise, now",
        "Answers when the attempt has begun; what came of it is in the order's attempts later.",
        lambda orders, one, body, who: orders.ring_unit_now(one, who),
    ),
    _Declared(
        "ring-back", "ring_back", "Ring a phone of the unit, then the enterprise (回电)",
        "Answers when the attempt has begun. Key 1 must be pressed at the unit before the enterprise is rung.",
        lambda orders, one, body, who: orders.ring_back(one, body.number, who), RingBack, is_for_units=True,
    ),
    _Declared(
        "number", "set_number", "Enter the number to ring back",
        "Such as that of an order without one. 409 number.not_dialable for a number that is not rung.",
        lambda orders, one, body, who: orders.set_number(one, body.number, body.why, who), NewNumber, is_for_units=True,
    ),
    _Declared(
        "return", "return_order", "The unit gives the order back (退单)", "The deadline stays.",
        lambda orders, one, body, who: orders.give_back(one, body.why, who), Why, is_for_units=True,
    ),
    _Declared(
        "self-report", "self_report", "The unit says that it has rung",
        "Kept apart from evidence, and never on time by itself.",
        lambda orders, one, body, who: orders.self_report(one, body.text, who), Told, is_for_units=True,
    ),
    _Declared(
        "answer", "answer_order", "Write the answer (答复)", "The last one counts; all are in the journal.",
        lambda orders, one, body, who: orders.write_answer(one, body.text, who), Told, is_for_units=True,
    ),
    _Declared(
        "enterprise", "name_enterprise", "Enter the enterprise's name and contact person",
        "What is empty stays as it is known.",
        lambda orders, one, body, who: orders.name_enterprise(one, body.company, body.contact, who), Enterprise,
        is_for_units=True,
    ),
    _Declared(
        "reassign", "reassign", "Give the order to another unit (改派)", "The deadline stays; the unit is told.",
        lambda orders, one, body, who: orders.reassign(one, body.unit_id, body.why, who), Reassign,
    ),
    _Declared(
        "close", "close_order", "Close the order (办结)", "Nothing is owed any more; the report stops no clock.",
        lambda orders, one, body, who: orders.close(one, body.why, who), Why,
    ),
    _Declared(
        "reopen", "reopen", "Open a settled order once more", "It is owed again.",
        lambda orders, one, body, who: orders.reopen(one, body.why, who), Why,
    ),
    _Declared(
        "remind-leader", "remind_leader", "Ring the leader of the unit about the order",
        "Answers when the call has begun; what came of it is noted in the timeline.",
        lambda orders, one, body, who: orders.remind_leader(one, who),
    ),
)


def _register(declared: _Declared) -> None:
    async def work(request: ApiRequest) -> OrderAnswer:
        if request.unit_id and not declared.is_for_units:
            raise NotAllowed(key="api.not_for_units")
        order, visit = await visible_order(request), request.visit
        visit.note(about=order.order_id, why=getattr(request.body, "why", ""))
        await note_numbers(request, order.order_id)
        changed = await declared.act(visit.operations.orders, order.order_id, request.body, visit.actor)
        return order_answer(request, changed)

    work.__name__, work.__doc__, work.__module__ = declared.name, declared.about, __name__
    operation(
        f"/api/v1/orders/<order_id>/{declared.path}", "POST", scope="orders:act", tag="orders", answer=OrderAnswer,
        body=declared.body, refusals=(404,), summary=declared.summary,
    )(work)  # fmt: skip


for _one in _ACTS:
    _register(_one)
