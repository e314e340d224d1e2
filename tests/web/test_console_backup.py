"""A backup holds who may log in and who did what: a restored machine knows its people, and goes on with their acts."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path

import pytest

from callback_scheduler.backup.archive import back_up
from callback_scheduler.backup.restore import restore
from callback_scheduler.journal.journal import Journal
from callback_scheduler.ledger.verification import verify
from console.people.accounts import Accounts
from console.people.audit import audit_folder
from console.people.roles import Role
from tests.web.test_console_audit import Log, write
from tests.web.visitors import NOON, House, at_once

BEFORE, AFTER = 40, 3


@pytest.fixture
def house() -> House:
    made = House()
    made.account(Role.ADMIN, "chen")
    made.account(Role.UNIT, "zhang", unit_id="tax", number="13800000001")
    journal = Journal(made.folder / "journal", None)
    journal.open()
    journal.close()
    return made


def test_people_and_acts_come_back_from_the_backup_of_a_console_that_runs(house: House, tmp_path: Path) -> None:
    log = Log(house.folder)
    log.wait(log.audit.open())
    write(log, BEFORE)
    settings = tmp_path / "hotline.yaml"
    settings.write_text("data_dir: var\n")
    back_up(house.folder, {"hotline.yaml": settings}, tmp_path / "b.tar.gz", NOON.astimezone(timezone.utc))
    write(log, AFTER)  # what is done after it is not in it
    log.wait(log.audit.close())

    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    people = Accounts(tmp_path / "new" / "console" / "accounts.json", at_once)
    people.load()
    assert people.all() == house.people.accounts.all()
    assert (tmp_path / "new" / "console" / "accounts.json").stat().st_mode & 0o777 == 0o600
    assert verify(audit_folder(tmp_path / "new")).is_whole
    again = Log(tmp_path / "new")
    again.wait(again.audit.open())
    write(again, 1)
    assert len(again.wait(again.audit.last(1000))) == BEFORE + 1
    assert again.wait(again.audit.verified()).is_whole
    again.wait(again.audit.close())


def test_an_act_half_written_when_the_backup_was_made_is_left_out_and_the_others_are_there(
    house: House, tmp_path: Path
) -> None:
    log = Log(house.folder)
    log.wait(log.audit.open())
    write(log, BEFORE)
    log.wait(log.audit.close())
    (half,) = sorted(audit_folder(house.folder).glob("*.journal"))
    mark = audit_folder(house.folder) / "end.json"
    assert mark.exists()
    mark.unlink()  # as while the node runs for the first time
    half.write_bytes(half.read_bytes()[:-20])
    settings = tmp_path / "hotline.yaml"
    settings.write_text("data_dir: var\n")
    back_up(house.folder, {"hotline.yaml": settings}, tmp_path / "b.tar.gz", NOON.astimezone(timezone.utc))
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    again = Log(tmp_path / "new")
    again.wait(again.audit.open())
    assert len(again.wait(again.audit.last(1000))) == BEFORE - 1
    again.wait(again.audit.close())
