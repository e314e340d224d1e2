"""`hotline demo`: plays the scenes, prints what was proved, and is content only if all of it was."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import time
from pathlib import Path

from ivr.demo.exchange import PhoneExchange
from ivr.demo.scenes import MORNING, SCENES, SceneReport, Stage, play
from ivr.demo.scenes_callback import CALLBACK_SCENES
from ivr.demo.service import Service
from ivr.demo.switchboard import Switchboard

# Shorter than on a real line, so that the demo is over in less than four minutes; see the sample's hotline.yaml.
_IMPATIENT = {
    "phone": {
        "ring_s": 5, "next_tier_after_s": 3, "ring_all_s": 9, "accept_key_s": 2, "seat_wait_s": 4,
        "waiting_word_every_s": 5, "first_digit_s": 4,
    },
    "lines": {"count": 6, "spare": 2},
}


def show(config: Path, data_dir: Path, *, as_json: bool, keep: bool) -> int:
    """Play all scenes over real SIP and RTP on 127.0.0.1; return 0 only if every claim held.

    Recordings and log stay in the folder `demo` of `data_dir`, in place of those of the demo before.
    """
    folder = data_dir.absolute() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    with Switchboard() as switchboard, PhoneExchange() as exchange:
        with Service(config, folder, switchboard.port, MORNING, _IMPATIENT) as service:
            stage = Stage(exchange, switchboard, service)
            _tell(f"service on {service.uri}, log in {service.log_path}", as_json)
            reports = []
            for title, scene in (*SCENES, *CALLBACK_SCENES):
                reports.append(play(stage, title, scene))
                _tell(_table(reports[-1]), as_json)
            took_s = round(time.monotonic() - began, 1)
            if keep:
                _tell(f"The service runs on: {service.uri}, data in {service.data_dir}. Ctrl-C ends it.", as_json)
                _wait_for_interrupt()
        held = all(report.held for report in reports)
    if as_json:
        summary = {"held": held, "took_s": took_s, "folder": str(folder), "scenes": [r.as_json() for r in reports]}
        print(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        claims = [proof for report in reports for proof in report.proofs]
        print(f"{sum(proof.held for proof in claims)} of {len(claims)} claims proved in {took_s} s")
        print(f"recordings and log: {folder}")
    return 0 if held else 1


def _table(report: SceneReport) -> str:
    lines = [f"\n{report.title}   ({report.took_s} s)"]
    lines += [
        f"  {'proved' if proof.held else 'FAILED'}  {proof.claim}" + (f"   [{proof.seen}]" if proof.seen else "")
        for proof in report.proofs
    ]
    if report.matrix is not None:
        lines += ["  " + line for line in str(report.matrix).splitlines()]
    lines += [_leg_row(leg) for leg in report.call.get("legs", [])]
    for order in report.orders:
        lines.append(f"  工单 {order['order_id']}  {order['reason']}")
    return "\n".join(lines)


def _leg_row(leg: dict[str, object]) -> str:
    def clock(name: str) -> str:
        return str(leg[name])[11:19] if leg[name] else "-"

    return (
        f"  {leg['role']!s:<11} {leg['number']!s:<12} rung {clock('started_at')}  answered {clock('answered_at'):<8}"
        f"  accepted {clock('accepted_at'):<8}  ended {clock('ended_at')}  talked {leg['two_way_s']} s  {leg['cause']}"
    )


def _tell(text: str, as_json: bool) -> None:
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


def _wait_for_interrupt() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.sigwait({signal.SIGTERM})
