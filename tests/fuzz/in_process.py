"""Mutations through a door without sockets: each INVITE is answered, or its line sees one that any parser takes."""

from __future__ import annotations

import random
import re
import resource
import time
from dataclasses import dataclass, field

from ivr.sip.fields import BadMessage
from ivr.sip.message import read
from tests.fakes.door import SDP, TRUNK, World, in_dialog, invite, reply
from tests.fuzz.mutator import is_answerable_invite, mutated

_PLAIN_LINE = re.compile(
    rb"INVITE sip:line@127\.0\.0\.1:\d+ SIP/2\.0|Via: SIP/2\.0/UDP 127\.0\.0\.1:40000;rport;branch=z9hG4bK[0-9a-f]+"
    rb"|Max-Forwards: 70|From: <sip:far@127\.0\.0\.1>;tag=[\w.@-]{1,80}|To: <sip:line@127\.0\.0\.1>(;tag=lt)?"
    rb"|Call-ID: [\w.@-]{1,80}|CSeq: \d{1,10} INVITE|Contact: <sip:far@127\.0\.0\.1:40000>"
    rb"|Session-Expires: \d{1,7}(;refresher=ua[cs])?|Min-SE: \d{1,7}|Supported: timer|Require: timer"
    rb"|Allow: [A-Z]+(, [A-Z]+)*|Content-Type: application/sdp|Content-Length: \d{1,4}"
)
_ONE_WORLD = 100  # messages, as the fakes have ports for so many lines; then a new door


@dataclass
class Outcome:
    """What a run found. `silent` and `unplain` hold the messages themselves."""

    messages: int = 0
    invites: int = 0
    served: int = 0
    silent: list[bytes] = field(default_factory=list)
    unplain: list[bytes] = field(default_factory=list)
    raised: int = 0
    grown_kib: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.silent or self.unplain or self.raised)


def run(count: int, seed: int) -> Outcome:
    """Try `count` mutations."""
    luck, outcome = random.Random(seed), Outcome()
    world, settled = World(free=1), 0
    for number in range(count):
        if number % _ONE_WORLD == 0:
            outcome.raised += world.count("failed")
            world = World(free=10**6)
        if number == count // 5:
            settled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _one(world, luck, number, outcome)
    outcome.raised += world.count("failed")
    outcome.grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled
    return outcome


def _one(world: World, luck: random.Random, number: int, outcome: Outcome) -> None:
    name = f"c{number}"
    original = invite(name, branch=f"z9hG4bK{number}", tag=f"t{number}")
    if luck.random() < 0.2:
        method = luck.choice(("BYE", "INFO", "UPDATE", "CANCEL", "ACK", "OPTIONS", "INVITE"))
        original = in_dialog(method, name, body=SDP)
    message = mutated(luck, original)
    world.from_network(message, TRUNK)
    outcome.messages += 1
    inside, outside = world.sent_in(), world.sent_out()
    for data, (_, port) in inside:
        if data.startswith(b"INVITE "):
            head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
            if len(data) > 3000 or not all(_PLAIN_LINE.fullmatch(line) for line in head):
                outcome.unplain.append(message)
            outcome.served += 1
            world.from_line(reply(data, "486 Busy Here", tag="lt"), port)
            outside += world.sent_out()
    if is_answerable_invite(original, message):
        outcome.invites += 1
        finals = [data for data, _ in outside if re.match(rb"SIP/2\.0 [2-6]", data)]
        if not finals:
            outcome.silent.append(message)
        for data in finals:
            _must_be_readable(data, outcome)


def _must_be_readable(data: bytes, outcome: Outcome) -> None:
    try:
        read(data)
    except BadMessage:
        # what it gives back of a faulty request may be as faulty: a status and the Via are enough for its sender
        if b"\r\nVia: " not in data:
            outcome.unplain.append(data)


def told(outcome: Outcome, began: float) -> str:
    """Return a run in one line."""
    return (
        f"in process: {outcome.messages} mutations in {time.monotonic() - began:.0f} s, {outcome.invites} INVITEs, "
        f"{outcome.served} of them served; {len(outcome.silent)} without a final answer, {len(outcome.unplain)} not "
        f"plain for the line, {outcome.raised} exceptions, memory grew by {outcome.grown_kib} KiB after the first fifth"
    )


