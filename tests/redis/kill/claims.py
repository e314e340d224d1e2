"""What must be true after every kill, by what people saw, what receivers took, the journal and the store."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from callback_scheduler.ledger.verification import verify
from callback_scheduler.orders.evidence import LEAST_TALK_S, proves
from callback_scheduler.orders.states import OrderState
from tests.redis.kill.day import RECEIVERS
from tests.redis.kill.heard import Compared
from tests.redis.kill.story import KILLED
from tests.redis.kill.town import LEADERS
from tests.redis.receivers import SECRET, Post, is_signed

Breaches = Iterator[str]
# Talk is counted in the line's heartbeats, one a second.
_BEAT_S = 1.1


def broken(c: Compared) -> list[str]:
    """Return every promise that was broken, in words; none is well."""
    return [f"{claim.__name__}: {breach}" for claim in CLAIMS for breach in claim(c)]


# -- orders -----------------------------------------------------------------------------------------------------------


def every_life_ended_as_planned(c: Compared) -> Breaches:
    if c.story.never_reached:
        yield f"never reached: {c.story.never_reached}"
    *killed, last = c.story.statuses
    if any(status != KILLED for status in killed) or last != 0:
        yield f"the lives ended with {c.story.statuses}"


def every_number_told_is_an_order_of_that_caller(c: Compared) -> Breaches:
    counts_as = {order.order_id: order for order in c.story.orders}
    counts_as |= {merged.order_id: order for order in c.story.orders for merged in order.merged_calls}
    for told in c.story.named("told"):
        order = counts_as.get(told["order_id"])
        if order is None or order.callback_number != told["number"]:
            yield f"{told['number']} was told {told['order_id']}, which is {order and order.callback_number}"


def every_order_is_of_one_call_and_every_call_answered_has_one(c: Compared) -> Breaches:
    of_calls = Counter(order.call_id for order in c.story.orders)
    of_calls.update(merged.call_id for order in c.story.orders for merged in order.merged_calls)
    called = {one["call_id"]: one for one in c.story.named("called")}
    yield from (f"call {call_id} made {n} orders" for call_id, n in of_calls.items() if n > 1)
    yield from (f"nobody made the call {call_id} of an order" for call_id in of_calls.keys() - called.keys())
    answered = {(one.life, one["line"]) for one in c.story.named("answered_by_us")}
    for call_id, one in called.items():
        if (one.life, one["line"]) in answered and call_id not in of_calls:
            yield f"{one['number']} was answered, and nothing is left of call {call_id}"


def every_order_has_a_future_deadline_or_a_verdict(c: Compared) -> Breaches:
    ended_at = c.story.named("ended_the_day")[-1].at if c.story.named("ended_the_day") else c.story.seen[-1].at
    for order in c.story.orders:
        talks = [one.evidence.talk_began_at for one in order.attempts if one.evidence and proves(one.evidence)]
        first = min((began_at for began_at in talks if began_at is not None), default=None)
        if order.state is OrderState.CALLING_BACK:
            yield f"{order.order_id} is being called back for ever"
        if order.due_at > ended_at:
            continue
        was_kept = first is not None and first < order.due_at
        if was_kept == (order.overdue_at is not None):
            yield f"{order.order_id} talked first at {first}, its breach was frozen at {order.overdue_at}"
        if order.overdue_at is not None and not order.breach_cause:
            yield f"{order.order_id} is overdue, and nobody knows why"
        if (order.state is OrderState.REACHED) != (first is not None):
            yield f"{order.order_id} is {order.state.value}, and talked first at {first}"


def nothing_happens_to_an_order_twice(c: Compared) -> Breaches:
    once: Counter[tuple[str, str]] = Counter()
    for _, event in c.counted:
        payload = event.payload
        steps = (payload.get("changes") or {}).get("steps_done") or []
        names = [*steps, *([payload["note"]] if payload.get("note") == "breach_frozen" else [])]
        names += [payload["event"]] if payload.get("event") in ("sent", "reached") else []
        once.update((payload["order_id"], name) for name in names)
    yield from (f"{order_id}: {n} times {name}" for (order_id, name), n in once.items() if n > 1)


# -- calls ------------------------------------------------------------------------------------------------------------


def every_ring_belongs_to_one_attempt_whose_intent_was_on_disk(c: Compared) -> Breaches:
    owners: Counter[int] = Counter(id(c.ring_of(attempt)) for _, attempt in c.attempts() if c.ring_of(attempt))
    for ring in c.rings:
        if owners[id(ring)] != 1:
            yield f"{ring.number} was rung at {ring.rung_at:%T}, which is of {owners[id(ring)]} attempts"


def an_attempt_makes_one_connected_call_at_most(c: Compared) -> Breaches:
    for _, attempt in c.attempts():
        until = attempt.ended_at or attempt.begun_at
        joined = [ring for ring in c.rings if ring.number == attempt.number and ring.answered_at
                  and attempt.begun_at <= ring.rung_at <= until]  # fmt: skip
        if len(joined) > 1:
            yield f"{attempt.attempt_id} connected {len(joined)} calls"


def evidence_is_what_the_phones_knew(c: Compared) -> Breaches:
    for _, attempt in c.attempts():
        ring, evidence = c.ring_of(attempt), attempt.evidence
        if evidence is None or not proves(evidence):
            if ring and ring.talked_s >= LEAST_TALK_S + _BEAT_S:
                yield f"{attempt.attempt_id} talked {ring.talked_s:.1f} s, and its evidence is {evidence}"
            continue
        if ring is None or ring.joined_at is None:
            yield f"{attempt.attempt_id} is proved, and nobody talked"
            continue
        told = (evidence.accepted_at, evidence.enterprise_answered_at)
        if told != (ring.accepted_at, ring.answered_at):
            yield f"{attempt.attempt_id}: key and answer were {ring.accepted_at}, {ring.answered_at}, not {told}"
        least_s = LEAST_TALK_S if c.was_ended_by_a_later_life(attempt, ring) else ring.talked_s - _BEAT_S
        if not least_s <= evidence.two_way_s <= ring.talked_s + 0.1:
            yield f"{attempt.attempt_id}: {ring.talked_s:.1f} s were heard and {evidence.two_way_s} s are stored"


def nobody_is_rung_again_who_was_reached(c: Compared) -> Breaches:
    """Once the evidence is on disk its order is never dialled again, whatever dies."""
    for order, attempt in c.attempts():
        ring = c.ring_of(attempt)
        if ring is None or not proves(attempt.evidence):
            continue
        later = [other for other in order.attempts if (again := c.ring_of(other)) and again.rung_at > ring.rung_at]
        if later:
            yield f"{order.order_id} was reached at {ring.rung_at:%T} and rung again by {later[0].attempt_id}"


def who_may_be_talking_is_left_alone_for_a_safe_time(c: Compared) -> Breaches:
    """`ladder.safe_redial_s`: the enterprise was rung when the node died, and nobody knows what came of it.

    So it is not rung again, about whatever order, for so long after a node has begun that may find this out.
    """
    starts = {one.life: one.at for one in c.story.named("started")}
    for _, attempt in c.attempts():
        ring = c.ring_of(attempt)
        if ring is None or not ring.was_cut_off or proves(attempt.evidence):
            continue
        again = [other.rung_at for other in c.rings if other.number == ring.number and other.life > ring.life]
        if again and (min(again) - starts[ring.life + 1]).total_seconds() < c.safe_redial_s:
            yield f"{ring.number} was rung at {ring.rung_at:%T} as the node died, and again at {min(again):%T}"


def a_leader_is_rung_once(c: Compared) -> Breaches:
    rung = Counter(one["number"] for one in c.story.named("rung") if one["number"] in LEADERS)
    yield from (f"leader {number} was rung {n} times" for number, n in rung.items() if n > 1)


# -- notices ----------------------------------------------------------------------------------------------------------


def every_receiver_is_told_everything_in_order(c: Compared) -> Breaches:
    dead = set(c.story.named("ended_the_day")[-1]["dead_letters"]) if c.story.named("ended_the_day") else set()
    for name, receiver in (("board", c.story.board), ("strict", c.story.strict)):
        owed = {event.event_id for _, event in c.counted if event.event_type in RECEIVERS[name]}
        taken = {post.key for post in receiver.taken}
        refused = {post.key for post in receiver.posts if post.answer == 422}
        if lost := owed - taken - refused:
            kinds = [event.event_type for _, event in c.counted if event.event_id in lost]
            yield f"{name} was never told {len(lost)} events: {Counter(kinds)}"
        if invented := taken - owed:
            yield f"{name} was told {len(invented)} events that never counted"
        if refused - dead:
            yield f"{name} refused {len(refused - dead)} letters that are not listed as dead"
        bodies = Counter(key for key, _ in {(post.key, post.body) for post in receiver.posts if not _is_notice(post)})
        yield from (f"{name} was sent {n} things under the key {key}" for key, n in bodies.items() if n > 1)
        if not all(is_signed(post, SECRET) for post in receiver.posts):
            yield f"{name} was sent something unsigned"
        sequence: dict[str, list[int]] = defaultdict(list)
        first_told = {post.key: json.loads(post.body) for post in reversed(receiver.taken)}
        for told in reversed(list(first_told.values())):
            sequence[told["order"].get("merged_into") or told["order_id"]].append(told["sequence"])
        yield from (f"{name} heard of {order_id} in the order {numbers}"
                    for order_id, numbers in sequence.items() if numbers != sorted(numbers))  # fmt: skip


def _is_notice(post: Post) -> bool:
    """A notice given twice lies in the journal twice, under one key, and says what is so at its time."""
    return bool(post.fields["type"] == "notice_given")


def what_was_taken_and_not_noted_is_told_again(c: Compared) -> Breaches:
    if any(kill["point"] == "notice_taken_cursor_not_written" for kill in c.story.kills):
        taken = Counter(post.key for receiver in (c.story.board, c.story.strict) for post in receiver.taken)
        if max(taken.values(), default=0) < 2:
            yield "the cursor must have been written before the receiver had the letter"


# -- the journal ------------------------------------------------------------------------------------------------------


def the_journal_is_whole(c: Compared) -> Breaches:
    result = verify(c.story.journal, [c.story.head] if c.story.head else [])
    if not result.is_whole or result.torn:
        yield f"{result.broken or result.torn}"
    if c.story.head is None or c.story.head.position != result.records:
        yield f"it has {result.records} records, of which Redis knows up to {c.story.head}"
    numbers = [event.event_id for _, event in c.events if event.event_type != "notice_given"]
    yield from (f"event {event_id} is in it {n} times" for event_id, n in Counter(numbers).items() if n > 1)


CLAIMS: tuple[Callable[[Compared], Breaches], ...] = (
    every_life_ended_as_planned,
    every_number_told_is_an_order_of_that_caller,
    every_order_is_of_one_call_and_every_call_answered_has_one,
    every_order_has_a_future_deadline_or_a_verdict,
    nothing_happens_to_an_order_twice,
    every_ring_belongs_to_one_attempt_whose_intent_was_on_disk,
    an_attempt_makes_one_connected_call_at_most,
    evidence_is_what_the_phones_knew,
    nobody_is_rung_again_who_was_reached,
    who_may_be_talking_is_left_alone_for_a_safe_time,
    a_leader_is_rung_once,
    every_receiver_is_told_everything_in_order,
    what_was_taken_and_not_noted_is_told_again,
    the_journal_is_whole,
)
