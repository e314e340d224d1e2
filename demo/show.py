"""`hotline demo`: plays the scenes, prints what was proved, and is content only if all of it was."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from demo.afterwards import keep_calling
from demo.exchange import PhoneExchange
from demo.scenes import MORNING, SCENES, SceneReport, Stage, play
from demo.scenes_callback import CALLBACK_SCENES
from demo.service import Service
from demo.switchboard import Switchboard

# Shorter than on a real line, so that the demo is over in less than four minutes; see the sample's hotline.yaml.
IMPATIENT = {
    "phone": {
        "ring_s": 5, "next_tier_after_s": 3, "ring_all_s": 9, "accept_key_s": 2, "seat_wait_s": 4,
        "waiting_word_every_s": 5, "first_digit_s": 4,
    },
    "lines": {"count": 6, "spare": 2},
    "console": {"enabled": True, "listen": "127.0.0.1:0"},
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
        with Service(config, folder, switchboard.port, MORNING, IMPATIENT) as service:
            stage = Stage(exchange, switchboard, service)
            _tell(f"service on {service.uri}, log in {service.log_path}", as_json)
            _tell(f"watch it live at {_wall(service)}", as_json)
            reports = []
            for title, scene in (*SCENES, *CALLBACK_SCENES):
                reports.append(play(stage, title, scene))
                _tell(_table(reports[-1]), as_json)
            took_s = round(time.monotonic() - began, 1)
            if keep:
                _tell(invitation(service), as_json)
                keep_calling(stage)
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


def _wall(service: Service) -> str:
    return f"{service.console['first_administrator']} (choose a name and a password, then 实时大屏)"


def invitation(service: Service) -> str:
    """Say how to see the calls that go on, to whoever has never seen the console."""
    url = service.console["url"]
    return (
        f"\nThe service runs on: {service.uri}, data in {service.data_dir}. Ctrl-C ends it.\n"
        f"The console: {url}\n"
        f"  one-time token: {service.console['token']}\n"
        f"  1. open {service.console['first_administrator']}\n"
        "  2. choose a name and a password: you are its first administrator\n"
        f"  3. open {url}/wall (实时大屏): a new call comes every half minute, and moves\n"
    )


def _tell(text: str, as_json: bool) -> None:
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)
