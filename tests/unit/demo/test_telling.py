"""What the demo prints while it plays: every step with its time, every claim at once, and how far it is."""

from __future__ import annotations

import inspect
import io
import json
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callback_scheduler.reports.table import width
from demo import scenes_callback, show
from demo.scenes import SCENES, Proof, Scene, SceneReport, Stage, play
from demo.scenes_callback import CALLBACK_SCENES
from demo.telling import Telling, folded
from demo.tones import AudioMatrix

FOLDER = Path("/var/hotline/demo")
LEG = {
    "role": "seat", "number": "8001", "two_way_s": 6.32, "cause": "remote 200 Normal clearing", "accepted_at": None,
    "started_at": "2026-03-10T10:30:03", "answered_at": "2026-03-10T10:30:03", "ended_at": "2026-03-10T10:30:13",
}  # fmt: skip


def nothing(stage: object, report: SceneReport) -> None:
    """Play nothing."""


DAY, NIGHT = Scene("10:30  by day", nothing, claims=2), Scene("21:00  by night", nothing, claims=3)


class Theatre:
    """A demo of two scenes, on a clock that is moved."""

    def __init__(self, columns: int = 120) -> None:
        self.now = 100.0
        self._out = io.StringIO()
        self.telling = Telling(self._out, columns, FOLDER, (DAY, NIGHT), lambda: self.now)

    def begin(self, scene: Scene) -> SceneReport:
        self.telling.scene_begins(scene)
        return SceneReport(scene.title, self.telling)

    def end(self, report: SceneReport, took_s: float) -> None:
        report.took_s = took_s
        self.telling.scene_ends(report)

    def lines(self) -> list[str]:
        return self._out.getvalue().splitlines()


def test_a_scene_reads_as_a_story_with_its_times() -> None:
    theatre = Theatre()
    report = theatre.begin(DAY)
    report.tell("the caller rings")
    theatre.now += 12.34
    report.tell("the seat answers")
    report.prove("they hear each other", True, "55")
    report.prove("it is recorded", True, FOLDER / "var" / "talk.wav")
    report.matrix = AudioMatrix({"caller": {"caller": -92.0, "seat": -15.0}, "seat": {"caller": -16.0, "seat": -71.0}})
    report.call = {"legs": [LEG]}
    report.orders.append({"order_id": "26031010001", "reason": "无人接听。"})
    theatre.end(report, 12.9)
    assert theatre.lines() == [
        "",
        "scene 1 of 2   10:30  by day",
        "     0.0 s  the caller rings",
        "    12.3 s  the seat answers",
        "    12.3 s  proved  they hear each other   [55]",
        "    12.3 s  proved  it is recorded   [var/talk.wav]",
        "            hears (dB)  caller  seat  above own return",
        "            caller         -92   -15                77",
        "            seat           -16   -71                55",
        "    leg         number       rung      answered  accepted  ended       talked",
        "    seat        8001         10:30:03  10:30:03  -         10:30:13     6.3 s  remote 200 Normal clearing",
        "            工单 26031010001  无人接听。",
        "    12.9 s  scene 1 of 2 is over: 2 of 2 claims proved, 2 of 5 so far",
    ]


def test_each_scene_has_times_of_its_own() -> None:
    theatre = Theatre()
    theatre.end(theatre.begin(DAY), 30.0)
    theatre.now += 30.0
    theatre.begin(NIGHT).tell("the caller rings")
    assert theatre.lines()[-2:] == ["scene 2 of 2   21:00  by night", "     0.0 s  the caller rings"]


def test_the_end_shows_every_scene_and_the_total() -> None:
    theatre = Theatre()
    for scene, took_s in ((DAY, 30.8), (NIGHT, 37.0)):
        report = theatre.begin(scene)
        for number in range(scene.claims):
            report.prove(f"claim {number}", True)
        theatre.end(report, took_s)
    theatre.telling.end(69.5)
    assert theatre.lines()[-4:] == [
        "",
        "    30.8 s  proved  scene 1  2 of 2 claims  10:30  by day",
        "    37.0 s  proved  scene 2  3 of 3 claims  21:00  by night",
        "5 of 5 claims proved in 69.5 s",
    ]


def test_a_scene_that_breaks_off_owes_the_claims_it_did_not_come_to() -> None:
    theatre = Theatre()
    report = theatre.begin(DAY)
    report.prove("the scene was played to its end", False, "the seat waited in vain; its log:\n  0.0 s  rings")
    theatre.end(report, 5.0)
    theatre.end(theatre.begin(NIGHT), 5.0)
    theatre.telling.end(11.0)
    lines = theatre.lines()
    assert lines[2:6] == [
        "     0.0 s  FAILED  the scene was played to its end",
        "                [the seat waited in vain; its log:",
        "                  0.0 s  rings]",
        "     5.0 s  scene 1 of 2 is over: 0 of 2 claims proved, 0 of 5 so far",
    ]
    assert lines[-3:] == [
        "     5.0 s  FAILED  scene 1  0 of 2 claims  10:30  by day",
        "     5.0 s  FAILED  scene 2  0 of 3 claims  21:00  by night",
        "0 of 5 claims proved in 11.0 s",
    ]


def test_a_scene_that_leaves_out_a_claim_has_failed() -> None:
    theatre = Theatre()

    def half(stage: object, report: SceneReport) -> None:
        report.prove("one of two", True)

    theatre.telling.scene_begins(DAY)
    report = play(cast(Stage, None), replace(DAY, plays=half), theatre.telling)
    assert not report.held
    assert theatre.lines()[-1].endswith("FAILED  the scene made all its claims   [1 of 2]")


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(columns: int) -> None:
    theatre = Theatre(columns)
    report = theatre.begin(DAY)
    report.tell("the caller hears the number of an order, and until when somebody rings back, in a long sentence")
    report.prove("the breach is frozen", True, "10:00:00  时限前拨打2次（单位无人接听1次），企业电话从未拨出。" * 3)
    report.call = {"legs": [LEG]}
    theatre.end(report, 5.0)
    lines = theatre.lines()
    assert max(map(width, lines)) <= columns
    printed = "".join(" ".join(lines).split())
    for said in ("untilwhensomebodyringsback,inalongsentence", "（单位无人接听1次）", "Normalclearing"):
        assert said in printed


def test_what_was_seen_goes_below_its_claim_where_it_does_not_fit_beside() -> None:
    theatre = Theatre(80)
    report = theatre.begin(DAY)
    report.prove("enterprise and specialist hear each other", True, "caller +99 dB, specialist +91 dB")
    report.prove("caller, seat and specialist hear the other two, each 20 dB above its own return", True, "55")
    assert theatre.lines()[2:] == [
        "     0.0 s  proved  enterprise and specialist hear each other",
        "                [caller +99 dB, specialist +91 dB]",
        "     0.0 s  proved  caller, seat and specialist hear the other two, each 20 dB",
        "                    above its own return   [55]",
    ]


def test_a_folded_line_goes_on_under_its_text() -> None:
    assert folded(" 1.0 s  the seat answers the call", 20, 8) == " 1.0 s  the seat\n        answers the\n        call"


def test_chinese_text_is_folded_between_letters_but_not_before_a_comma() -> None:
    assert folded("工单 一二三四，五六", 13, 2) == "工单 一二三\n  四，五六"


def test_a_word_too_long_for_a_line_is_cut() -> None:
    assert folded("see /a/very/long/path/indeed", 12, 2) == "see\n  /a/very/lo\n  ng/path/in\n  deed"


def test_a_log_is_as_wide_as_the_widest_terminal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        assert show.columns_of(log) == 120


@pytest.mark.parametrize("scene", [*SCENES, *CALLBACK_SCENES], ids=lambda scene: scene.title)
def test_a_scene_makes_as_many_claims_as_it_says(scene: Scene) -> None:
    told = inspect.getsource(scene.plays)
    for helper in re.findall(r"_prove_\w+", told):
        told += inspect.getsource(getattr(scenes_callback, helper))
    assert told.count("report.prove(") == scene.claims


def test_machines_read_the_report_without_its_audience() -> None:
    report = SceneReport("by day", Theatre().telling, call={"legs": [LEG]}, took_s=1.5)
    report.prove("it is recorded", True, "talk.wav")
    written: dict[str, Any] = json.loads(json.dumps(report.as_json()))
    assert written == {
        "title": "by day", "proofs": [{"claim": "it is recorded", "held": True, "seen": "talk.wav"}], "matrix": None,
        "call": {"legs": [LEG]}, "orders": [], "took_s": 1.5, "held": True,
    }  # fmt: skip
    assert report.proofs == [Proof("it is recorded", True, "talk.wav")]


@pytest.fixture
def empty_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service, no phones, and one scene, whose only claim holds."""
    service = SimpleNamespace(uri="sip:12345@127.0.0.1", log_path="service.log", console={"first_administrator": "url"})
    for name, stand_in in (("Switchboard", SimpleNamespace(port=1)), ("PhoneExchange", None), ("Service", service)):
        monkeypatch.setattr(show, name, lambda *_, stand_in=stand_in: nullcontext(stand_in))
    monkeypatch.setattr(show, "Stage", lambda *_: None)
    scene = Scene("10:30  by day", lambda stage, report: report.prove("they talk", True), claims=1)
    monkeypatch.setattr(show, "SCENES", (scene,))
    monkeypatch.setattr(show, "CALLBACK_SCENES", ())


@pytest.mark.usefixtures("empty_stage")
def test_a_demo_for_people_ends_with_the_total_and_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show.show(tmp_path / "hotline.yaml", tmp_path, as_json=False, keep=False) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "starting the service, which first speaks all its prompts ..."
    assert printed[-2].startswith("1 of 1 claims proved in ")
    assert printed[-1] == f"recordings and log: {tmp_path / 'demo'}"


@pytest.mark.usefixtures("empty_stage")
def test_a_demo_for_machines_prints_nothing_but_its_report_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show.show(tmp_path / "hotline.yaml", tmp_path, as_json=True, keep=False) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["held"] is True
    assert [scene["title"] for scene in report["scenes"]] == ["10:30  by day"]
    assert "scene 1 of 1 is over: 1 of 1 claims proved" in printed.err
