"""One order: its facts, its deadline and why, its story with every call, its recordings, and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.causes import cause
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.verdict import OWN_RULE, facts_of, judge, known_at, milliseconds
from console.errors import NotFound
from console.http.messages import Response
from console.http.routes import route
from console.rendering.templates import cause_words
from console.supervisor.acts import ACTS, possible
from console.supervisor.compliance import SUPERVISORS, leader_of, shared, unit_names
from console.supervisor.filters import Filters
from console.supervisor.risk import Best, Risk, risk_of
from console.supervisor.story import recordings, story
from console.visit import Visit
from routing.errors import UnknownMatter
from routing.phone_numbers import masked


@route("/orders/<order_id>", roles=SUPERVISORS)
async def order_page(visit: Visit) -> Response:
    """Show an order; one that was merged leads to the one it counts as."""
    order = await order_of(visit)
    if order.order_id != visit.args["order_id"]:
        was = visit.args["order_id"]
        return visit.go(f"/orders/{order.order_id}").saying(visit.t("order.was_merged", number=was))
    return await _page(visit, order)


@route("/orders/<order_id>/numbers", roles=SUPERVISORS)
async def ask_numbers(visit: Visit) -> Response:
    """Ask for the reason to see whole numbers."""
    return visit.page("orders/reason.html", order=await order_of(visit), purpose="numbers", recording=None)


@route("/orders/<order_id>/numbers", methods=("POST",), roles=SUPERVISORS)
async def show_numbers(visit: Visit) -> Response:
    """Show the order once with its whole numbers; the reason is in the audit log before they are sent."""
    visit.needed("why")
    visit.note(result="numbers shown")
    return await _page(visit, await order_of(visit), is_unmasked=True)


async def order_of(visit: Visit) -> Order:
    """Return the order of an address; NotFound if there is none."""
    order: Order | None = await visit.operations.orders.one(visit.args["order_id"])
    if order is None:
        raise NotFound
    return order


async def _page(visit: Visit, order: Order, *, is_unmasked: bool = False) -> Response:
    operations, now = visit.operations, visit.now()
    calls = await operations.calls_of(order.order_id)
    written = await operations.seats.wrap_ups_of([call["call_id"] for call in calls])
    events = await operations.orders.events(order.order_id)
    at_ms = milliseconds(now)
    facts = known_at(facts_of(order), at_ms)
    verdict = judge(facts, at_ms, facts.due_ms)
    risk = _risk(visit, order)
    why_missed = cause(facts, verdict, at_ms, OWN_RULE.due_ms(facts), cause_words(visit.language))
    return visit.page(
        "orders/order.html", **shared(visit, Filters("today", now.date(), now.date())), order=order, verdict=verdict,
        cause=why_missed, entries=story(order, events, calls), risk=risk,
        recordings=recordings(order, calls), acts=_ordered_acts(order, risk), matter=matter_name(visit, order),
        wrap_ups=sorted(chain.from_iterable(written.values()), key=lambda one: one["at"]),
        is_unmasked=is_unmasked, at=now, person=_namer(visit),
    )  # fmt: skip


def _risk(visit: Visit, order: Order) -> Risk | None:
    if not order.state.is_open:
        return None
    with_leader = {unit.unit_id for unit in visit.operations.directory.units if leader_of(unit)}
    return risk_of(order, visit.now(), order.unit_id in with_leader)


def _ordered_acts(order: Order, risk: Risk | None) -> list[Any]:
    """Return the acts that are possible, the best one first."""
    best = ACTS.get(risk.best.value) if risk is not None and risk.best is not Best.WATCH else None
    return sorted(possible(order), key=lambda act: act is not best)


def _namer(visit: Visit) -> Callable[[str], str]:
    """Return what says who did something: unit:tax:李四 becomes 区税务局 李四; a number in it is masked."""
    units = unit_names(visit)

    def name(who: str) -> str:
        actor = Actor.read(who)
        word, person = actor.role.value, actor.name
        if actor.role is ActorRole.OTHER:  # an earlier version's word for somebody, and perhaps a name
            word, _, rest = actor.name.partition(":")
            person = "" if word == ActorRole.UNIT.value else rest
        person = masked(person) if person.lstrip("+").isdecimal() else person
        before = units.get(actor.unit_id, actor.unit_id)
        if not before:
            key = f"by.{word}"
            before = visit.t(key) if visit.has_text(key) else word
        return f"{before} {person}".strip()

    return name


def matter_name(visit: Visit, order: Order) -> str:
    """Return what the order is about, in words."""
    try:
        return str(visit.operations.directory.matter(order.matter_id).name)
    except UnknownMatter:
        return order.matter_id
