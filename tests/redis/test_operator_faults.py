"""Five faults as an operator meets them at night: each names its place and what to do, and no order is lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

import hotline
from callback_scheduler.errors import JournalCorrupt, JournalFull
from callback_scheduler.journal.segments import SegmentWriter
from config.errors import ConfigError
from routing.calendar import Calendar, load_calendar
from tests.fakes.orders import World
from tests.redis.nodes import Node

ORDERS = ["26030310001", "26030310002", "26030310003"]


@pytest.fixture
def journal(node: Node) -> Path:
    """The only file of the journal of a stopped node that has three orders."""
    node.start()
    for number in ("1", "2", "3"):
        node.open_order(number)
    node.settle()
    node.stop()
    (path,) = (node.data_dir / "journal").glob("*.journal")
    return path


def second_line(path: Path) -> str:
    at_byte = path.read_bytes().index(b"\n") + 1
    return f"{path}: line 2 (byte {at_byte})"


def tampered(path: Path) -> str:
    path.write_bytes(path.read_bytes().replace(b'"order_opened"', b'"order_0pened"', 1))
    return f"{second_line(path)}: the checksum is wrong"


def tampered_with_care(path: Path) -> str:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    return f"{second_line(path)}: position 2 where 1 belongs: a record was taken out"


def doubled(path: Path) -> str:
    copy = path.with_name("000000000004.journal")
    copy.write_bytes(path.read_bytes())
    return f"{copy}: line 1 (byte 0): the header says the file begins at 1: was it copied or renamed?"


def cut_off(path: Path) -> str:
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    at_byte = content.rindex(b"\n", 0, -1) + 1
    place = f"{path}: line 3 (byte {at_byte})"
    return f"{place}: the journal ends at record 2, but its own note of its end knows 3: cut off"


@pytest.mark.parametrize("fault", [tampered, tampered_with_care, doubled, cut_off])
def test_a_damaged_journal_is_named_by_place_and_way_out_and_is_left_as_it_is(
    node: Node, journal: Path, fault: Callable[[Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = journal.read_bytes()
    message = fault(journal)
    found = {path: path.read_bytes() for path in journal.parent.iterdir() if path.name != "lock"}

    serve = [sys.executable, hotline.__file__, "serve", "--data-dir", str(node.data_dir)]
    served = subprocess.run(serve, capture_output=True, text=True, check=False, timeout=60)
    (told,) = (entry for entry in map(json.loads, served.stderr.splitlines()) if entry["event"] == "start_failed")
    assert (served.returncode, served.stdout) == (1, "")
    assert told["error"].startswith(message)
    assert told["what_to_do"] == JournalCorrupt.what_to_do
    assert "traceback" not in told

    assert hotline.main(["verify", "--data-dir", str(node.data_dir)]) == 1
    said = capsys.readouterr().out
    assert f"{message.partition(':')[0]}, line " in said
    assert JournalCorrupt.what_to_do in said
    assert {path: path.read_bytes() for path in journal.parent.iterdir() if path.name != "lock"} == found

    for path in journal.parent.glob("*.journal"):  # put back from the backup
        path.unlink()
    journal.write_bytes(whole)
    node.start()
    assert sorted(order.order_id for order in node.ask("orders.latest")) == ORDERS


def test_a_node_told_to_stop_while_its_start_fails_still_says_why(node: Node, journal: Path) -> None:
    tampered(journal)
    serve = [sys.executable, hotline.__file__, "serve", "--data-dir", str(node.data_dir), "--with-parent"]
    served = subprocess.run(serve, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    told = [entry["error"] for entry in map(json.loads, served.stderr.splitlines()) if entry["event"] == "start_failed"]
    assert told == [] or told[0].startswith(str(journal)), told
    assert "Traceback" not in served.stderr


def test_without_a_backup_the_journal_is_set_aside_and_all_orders_live_on(node: Node, journal: Path) -> None:
    tampered(journal)
    journal.parent.rename(node.data_dir / "journal.damaged")
    node.start()
    assert sorted(order.order_id for order in node.ask("orders.latest")) == ORDERS
    assert node.open_order("4").order_id == "26030310004"  # no number is given twice


def test_an_append_that_a_crash_cut_off_costs_nothing_that_was_acknowledged(node: Node, journal: Path) -> None:
    with journal.open("ab") as file:
        file.write(b"000001f0 8badf00d 4 {")
    with capture_logs() as logs:
        node.start()
    (told,) = (entry for entry in logs if entry["event"] == "journal_tail_torn")
    assert (told["file"], told["what"]) == (str(journal), "line 5: the record ends in mid-line")
    assert Path(told["kept_as"]).read_bytes() == b"000001f0 8badf00d 4 {"
    assert sorted(order.order_id for order in node.ask("orders.latest")) == ORDERS


def test_a_full_disk_says_so_keeps_every_order_and_goes_on_when_there_is_room(
    node: Node, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(self: SegmentWriter, records: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    node.start()
    with monkeypatch.context() as full, capture_logs() as logs:
        full.setattr(SegmentWriter, "_write", no_room)
        with pytest.raises(JournalFull, match=f"{journal}: No space left on device; the event is not on disk"):
            node.open_order("4")
    (told,) = (entry for entry in logs if entry["event"] == "journal_write_failed")
    assert (told["file"], told["what_to_do"]) == (str(journal), JournalFull.what_to_do)
    assert sorted(order.order_id for order in node.ask("orders.latest")) == ORDERS
    node.open_order("5")
    node.restart()
    assert len(node.ask("orders.latest")) == 4


def test_a_wrong_calendar_file_is_named_row_by_row_and_the_running_node_keeps_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load(hotline.DEFAULT_CONFIG.read_text(encoding="utf-8"))
    for key, usual in (("directory_file", "units.yaml"), ("matters_file", "matters.yaml")):
        settings[key] = str(hotline.DEFAULT_CONFIG.parent / settings.get(key, usual))
    settings["prompts"]["directory"] = str(hotline.DEFAULT_CONFIG.parent / "prompts")
    (tmp_path / "hotline.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    wrong = tmp_path / "calendar" / "2026.csv"
    wrong.parent.mkdir()
    wrong.write_text("date,type,name\n2026-02-30,holiday,春节\n2026-03-04,holyday,春节\n", encoding="utf-8")
    assert hotline.main(["check", "--config", str(tmp_path / "hotline.yaml")]) == 2
    said = capsys.readouterr().err
    assert f"{wrong}:2" in said
    assert f"{wrong}:3" in said

    world = World("03-03 21:00")
    timetable = world.timetable()

    def read() -> Calendar:
        return load_calendar(wrong.parent)

    timetable._read_calendar = read
    kept = timetable.calendar
    with capture_logs() as logs:
        world.done(timetable.sweep_calendar(world.clock.now() + timedelta(minutes=10)))
    (told,) = (entry for entry in logs if entry["event"] == "calendar_refused")
    assert f"{wrong}:2" in told["error"]
    assert (timetable.calendar, told["kept"]) == (kept, kept.version)
    with pytest.raises(ConfigError):
        load_calendar(wrong.parent)
