"""`python -m tests.redis.kill [--seeds N] [--point NAME]`: every point with N seeds, one line each; 1 if any broke."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import structlog

from tests.redis.kill.claims import broken
from tests.redis.kill.heard import Compared
from tests.redis.kill.points import POINTS
from tests.redis.kill.story import Nursery, Story, deaths_at, play

_COLUMNS = "{:<46} {:>5} {:>5} {:>6} {:>6} {:>6} {:>8}  {}"


class Tally:
    """What was compared at one point."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.breaches: list[str] = []

    def add(self, story: Story) -> None:
        compared = Compared(story)
        self.counts.update(
            seeds=1, kills=len(story.kills), orders=len(story.orders), calls=len(compared.rings),
            told=len(story.named("told")), notices=len(story.board.posts) + len(story.strict.posts),
        )  # fmt: skip
        breaches = broken(compared)
        self.breaches += [f"seed {story.seed}: {breach}" for breach in breaches]
        if breaches:
            print(story.words, file=sys.stderr)

    def line(self, point: str) -> str:
        n = self.counts
        result = "\n".join(["BROKEN", *self.breaches]) if self.breaches else "kept"
        return _COLUMNS.format(point, n["seeds"], n["kills"], n["orders"], n["calls"], n["told"], n["notices"], result)


def main() -> int:
    """Run the points, print a line each, and return 1 if a promise was broken anywhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--point", action="append", choices=list(POINTS))
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(_COLUMNS.format("point", "seeds", "kills", "orders", "calls", "told", "notices", "promises"), flush=True)
    bad_points = 0
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        nursery = Nursery(Path(name))
        try:
            for point in options.point or POINTS:
                tally = Tally()
                for seed in range(options.first_seed, options.first_seed + options.seeds):
                    points, perhaps = deaths_at(point, seed)
                    tally.add(play(points, seed, nursery, perhaps))
                print(tally.line(point), flush=True)
                bad_points += bool(tally.breaches)
        finally:
            nursery.close()
    return 1 if bad_points else 0


if __name__ == "__main__":
    sys.exit(main())
