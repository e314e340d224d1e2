"""`python -m tests.fuzz`: 400,000 mutations in process and 40,000 over sockets; ends with 1 if one was not answered."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import structlog

from demo.switchboard import Switchboard
from tests.fuzz import in_process, over_sockets
from tests.sip.house import FAST_SPEECH, TUESDAY_EVENING
from tests.sip.services import start_service


def main() -> int:
    """Run both and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--in-process", type=int, default=400_000, help="mutations through a door without sockets")
    parser.add_argument("--over-sockets", type=int, default=40_000, help="mutations to a running service")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same messages")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    began = time.monotonic()
    inside = in_process.run(options.in_process, options.seed)
    print(in_process.told(inside, began), flush=True)
    _show((*inside.silent, *inside.unplain))
    if not options.over_sockets:
        return int(not inside.is_clean)
    outside = _over_sockets(options.over_sockets, options.seed)
    _show(outside.silent)
    return int(not (inside.is_clean and outside.is_clean))


def _over_sockets(count: int, seed: int) -> over_sockets.SocketsOutcome:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, Switchboard() as switchboard:
        trunk = {"name": "switchboard", "host": f"127.0.0.1:{switchboard.port}", "allow": ["127.0.0.1/32"]}
        changes = {"sip": {"trunks": [trunk]}, "lines": {"count": 16, "spare": 8}, "prompts": FAST_SPEECH}
        with start_service(Path(folder), switchboard.port, TUESDAY_EVENING, changes) as service:
            began = time.monotonic()
            outcome = over_sockets.run(service, count, seed)
            print(over_sockets.told(outcome, began), flush=True)
            return outcome


def _show(messages: tuple[bytes, ...] | list[bytes]) -> None:
    for message in messages[:10]:
        print(f"  {message[:2000]!r}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
