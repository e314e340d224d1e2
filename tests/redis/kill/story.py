"""One story: a node lives through a night and a morning, is killed, started again, and its harness remembers all."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import count, zip_longest
from pathlib import Path
from random import Random

from callback_scheduler.ledger.verification import ChainHead, journal_id
from callback_scheduler.orders.order import Order
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from processes import die_with_parent
from tests.redis.kill.day import Plan
from tests.redis.kill.points import EVENING, POINTS
from tests.redis.kill.town import ENDS_AT, REFUSED_BY_THE_STRICT, TUESDAY_EVENING, Caller, callers
from tests.redis.kill.witness import Seen, read
from tests.redis.receivers import SECRET, HttpReceiver, Post

ROOT = Path(__file__).parents[3]
KILLED = -9
_LIFE_WITHIN_S = 120.0  # of real time; one takes a few seconds
_AWAY_S = (2.0, 20.0, 50.0, 300.0, 3700.0)  # shorter and longer than a lease, and across the deadline
_RINGS_AGAIN = timedelta(seconds=40)
_AFTERMATH = timedelta(minutes=40)


class Nursery:
    """The process that nodes are forked from, and the Redis they share; both end with ours."""

    def __init__(self, folder: Path, *, with_redis: bool = True) -> None:
        self.folder = folder
        self._redis = EmbeddedRedis(folder / "redis") if with_redis else None
        if self._redis:
            self._redis.start()
        node = [sys.executable, "-m", "tests.redis.kill.nursery"]
        command = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), str(folder / "lock"), *node]
        environment = os.environ | {"TEST_SECRET": SECRET}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def live(self, plan: Plan) -> int:
        """Let a node live, and return its exit status; one that hangs is ended, which is a status of its own."""
        fields = asdict(plan) | {"callers": [(caller.number, caller.at.isoformat()) for caller in plan.callers]}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields, default=datetime.isoformat).encode() + b"\n")
        pid = int(self._line())
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _LIFE_WITHIN_S)[0]:
            os.kill(pid, signal.SIGABRT)
        return int(self._line())

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        if self._redis:
            self._redis.stop()

    @property
    def redis_url(self) -> str:
        assert self._redis is not None
        return self._redis.url


@dataclass
class Story:
    """What there is to compare when all lives are over."""

    points: tuple[str, ...]
    seed: int
    folder: Path
    journal: Path
    key_prefix: str
    redis_url: str
    board: HttpReceiver
    strict: HttpReceiver
    statuses: list[int] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    head: ChainHead | None = None

    def named(self, what: str) -> list[Seen]:
        return [one for one in self.seen if one.what == what]

    @property
    def kills(self) -> list[Seen]:
        return self.named("killed")

    @property
    def never_reached(self) -> list[str]:
        return sorted(set(self.points) - {kill["point"] for kill in self.kills})

    @property
    def words(self) -> str:
        """The last words of each life, for somebody who looks for a fault."""
        logs = sorted(self.folder.glob("witness.*.log"))
        return "\n".join(f"{log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) for log in logs)


@contextmanager
def _receivers(seed: int) -> Iterator[tuple[HttpReceiver, HttpReceiver]]:
    """Yield one that is away now and then, and one that refuses an enterprise's orders."""
    chance = Random(seed)
    board = HttpReceiver(lambda post: 503 if chance.random() < 0.03 else 200).start()
    strict = HttpReceiver(_refuses_one).start()
    try:
        yield board, strict
    finally:
        board.stop()
        strict.stop()


def _refuses_one(post: Post) -> int:
    return 422 if post.fields["order"].get("callback_number") == REFUSED_BY_THE_STRICT else 200


def play(points: Sequence[str], seed: int, nursery: Nursery, perhaps: str = "") -> Story:
    """Let a node be killed at `points`, one after the other; the seed says when, and for how long it is away.

    It is killed at `perhaps` too, if it comes there afterwards.
    """
    folder = nursery.folder / "-".join([*points, str(seed)])
    folder.mkdir()
    prefix = f"{folder.name}:"
    with _receivers(seed) as (board, strict):
        story = Story(
            tuple(points), seed, folder, folder / "var" / "journal", prefix, nursery.redis_url, board, strict
        )
        _live(story, nursery, [*points, *([perhaps] if perhaps else [])])
    store = Store.connect(nursery.redis_url, prefix=prefix)
    try:
        story.orders = store.orders.all_orders(TUESDAY_EVENING, ENDS_AT + timedelta(days=1))
        story.refused = store.refused()
        position, chain = store.chain(journal_id(story.journal))
        story.head = ChainHead(position, chain, "Redis") if chain else None
    finally:
        store.close()
    return story


def _live(story: Story, nursery: Nursery, deaths: list[str]) -> None:
    """Let one life follow another until one comes to its end."""
    chance = Random(f"{story.points}/{story.seed}")
    begins_at, waiting = TUESDAY_EVENING, callers()
    for life in count():
        point = deaths.pop(0) if deaths else ""
        # who is to die again dies early, so that the rest of the day is left for that
        armed = POINTS[point].armed[: 1 if deaths else None] if point else (begins_at,)
        plan = Plan(
            folder=str(story.folder / "var"), witness=str(story.folder / "witness"), redis_url=story.redis_url,
            key_prefix=story.key_prefix, receivers={"board": story.board.url, "strict": story.strict.url},
            seed=story.seed, life=life, begins_at=begins_at, ends_at=max(ENDS_AT, begins_at + _AFTERMATH),
            callers=waiting, point=point, armed_at=chance.choice(armed),
            nth=chance.randint(1, POINTS[point].most) if point else 1,
        )  # fmt: skip
        story.statuses.append(nursery.live(plan))
        story.seen = read(story.folder / "witness")
        if story.statuses[-1] != KILLED:
            return
        begins_at = story.kills[-1].at + timedelta(seconds=chance.choice(_AWAY_S))
        waiting = _who_rings_again(story, waiting, begins_at)


def deaths_at(point: str, seed: int) -> tuple[list[str], str]:
    """Return where a node is killed for the sake of `point`: what must come before, and it; and perhaps where after."""
    chance = Random(f"{point}/{seed}")
    after = chance.choice([name for name, other in POINTS.items() if not other.after and name != point])
    return [*filter(None, [POINTS[point].after]), point], after if chance.random() < 0.4 else ""


def chains() -> list[tuple[str, ...]]:
    """Return all points in the fewest stories: in each one of the evening, one of the morning after it."""
    preludes = {point.after: name for name, point in POINTS.items() if point.after}
    alone = [name for name, point in POINTS.items() if not point.after and name not in preludes]
    evening = [name for name in alone if EVENING in POINTS[name].armed]
    morning = [name for name in alone if EVENING not in POINTS[name].armed]
    pairs = zip_longest(evening, morning, fillvalue="")
    return [*preludes.items(), *(tuple(filter(None, pair)) for pair in pairs)]


def _who_rings_again(story: Story, planned: list[Caller], begins_at: datetime) -> list[Caller]:
    """Return who still has to ring: whose time has not come, and whose call was cut off before a number was told."""
    died_at = story.kills[-1].at
    life = story.kills[-1].life
    told = {one["number"] for one in story.named("told") if one.life == life}
    left = [caller for caller in planned if caller.at > died_at or caller.number not in told]
    return [Caller(one.number, max(one.at, begins_at + _RINGS_AGAIN + timedelta(seconds=7 * n)))
            for n, one in enumerate(left)]  # fmt: skip
