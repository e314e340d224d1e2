"""`hotline demo`: plays the scenes, prints what was proved, and is content only if all of it was."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

from demo.afterwards import keep_calling
from demo.exchange import PhoneExchange
from demo.scenes import MORNING, SCENES, Scene, SceneReport, Stage, play
from demo.scenes_callback import CALLBACK_SCENES
from demo.service import Service
from demo.switchboard import Switchboard
from demo.telling import WIDEST, Telling

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
    out = sys.stderr if as_json else sys.stdout
    scenes = (*SCENES, *CALLBACK_SCENES)
    telling = Telling(out, columns_of(out), folder, scenes)
    began = time.monotonic()
    telling.line("starting the service, which first speaks all its prompts ...")
    with Switchboard() as switchboard, PhoneExchange() as exchange:
        with Service(config, folder, switchboard.port, MORNING, IMPATIENT) as service:
            stage = Stage(exchange, switchboard, service)
            print(f"started in {time.monotonic() - began:.1f} s", file=out)
            print(f"service on {service.uri}, log in {service.log_path}", file=out)
            print(f"watch it live at {_wall(service)}", file=out, flush=True)
            reports = [_played(stage, scene, telling) for scene in scenes]
            took_s = round(time.monotonic() - began, 1)
            if keep:
                print(invitation(service), file=out, flush=True)
                keep_calling(stage)
        held = all(report.held for report in reports)
    telling.end(took_s)
    if as_json:
        summary = {"held": held, "took_s": took_s, "folder": str(folder), "scenes": [r.as_json() for r in reports]}
        print(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        print(f"recordings and log: {folder}")
    return 0 if held else 1


def _played(stage: Stage, scene: Scene, telling: Telling) -> SceneReport:
    telling.scene_begins(scene)
    report = play(stage, scene, telling)
    telling.scene_ends(report)
    return report


def columns_of(out: TextIO) -> int:
    """Return how wide a line may be: as the terminal is; a log has no width."""
    return os.get_terminal_size(out.fileno()).columns if out.isatty() else WIDEST


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
