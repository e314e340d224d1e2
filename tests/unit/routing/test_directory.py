"""Matters, units, tiers and seats; and all faults of a site in one list."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

import config
from config.errors import ConfigError
from routing.clock import SHANGHAI
from routing.directory import Directory, load_directory
from routing.errors import UnknownMatter, UnknownSeat, UnknownUnit
from routing.site import load_site
from routing.tiers import Tier

SAMPLE = Path(config.__file__).parent
NOON = datetime(2026, 2, 24, 12, 0, tzinfo=SHANGHAI)

UNITS = """\
units:
  tax:
    name: 区税务局
    tiers:
      - specialists:
          ann: {name: 甲, number: 6111, absences: [{first_day: 2026-02-24, last_day: 2026-02-25}]}
      - specialists:
          bob: {name: 乙, number: "02152550000"}
      - specialists:
          eve: {name: 丙, number: "sip:eve@127.0.0.1:5090"}
        rings_after_s: 20
seats:
  seat_1: {name: 一, number: 8001}
"""
MATTERS = """\
general_matter: invoices
matters:
  invoices: {name: 发票, code: 21, unit_id: tax, aliases: [Fapiao]}
  lawsuits: {name: 诉讼, code: 22, belongs_elsewhere: 9001, elsewhere_name: 法院}
"""


def site_of(folder: Path, hotline: str = "{}\n", units: str = UNITS, matters: str = MATTERS) -> Path:
    for name, text in (("hotline.yaml", hotline), ("units.yaml", units), ("matters.yaml", matters)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "hotline.yaml"


def directory_of(folder: Path, units: str = UNITS, matters: str = MATTERS) -> Directory:
    site_of(folder, units=units, matters=matters)
    return load_directory(folder / "units.yaml", folder / "matters.yaml")


def faults_of(settings_file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_site(settings_file)
    return [str(fault).replace(f"{settings_file.parent}/", "") for fault in caught.value.faults]


def ids(tiers: Sequence[Tier]) -> list[tuple[list[str], float]]:
    return [([person.specialist_id for person in tier.specialists], tier.rings_after_s) for tier in tiers]


def test_the_sample_site_is_valid_and_every_matter_of_ours_has_people() -> None:
    site = load_site(SAMPLE / "hotline.yaml")
    directory = site.directory
    assert len(directory.units) >= 10
    assert len(directory.matters) >= 15
    assert len(site.settings.phone.menu_matters) == 4
    ours = [matter for matter in directory.matters if matter.belongs_elsewhere is None]
    assert all(directory.tiers(matter, NOON) for matter in ours)
    assert {matter.name for matter in directory.matters} >= {"企业登记", "食品经营许可", "社保缴纳"}
    elsewhere = [matter for matter in directory.matters if matter.belongs_elsewhere is not None]
    assert len(elsewhere) == 3
    assert all(matter.elsewhere_name for matter in elsewhere)


def test_no_number_of_the_sample_could_be_somebodys() -> None:
    directory = load_site(SAMPLE / "hotline.yaml").directory
    numbers = [seat.number for seat in directory.seats]
    numbers += [person.number for unit in directory.units for tier in unit.tiers for person in tier.specialists]
    numbers += [unit.leader_number for unit in directory.units if unit.leader_number]
    numbers += [matter.belongs_elsewhere for matter in directory.matters if matter.belongs_elsewhere]
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 4 for number in numbers)


def test_a_matter_is_found_by_id_code_and_words(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    invoices = directory.matter("invoices")
    assert directory.matter_by_code("21") is invoices
    assert directory.matter_by_code("99") is None
    assert directory.matters_called("fapi") == (invoices,)
    assert directory.matters_called("票") == (invoices,)
    assert directory.matters_called(" ") == ()
    assert directory.unit_of(invoices).name == "区税务局"
    assert directory.seat("seat_1").number == "8001"


def test_asking_for_something_unknown_says_what(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    with pytest.raises(UnknownMatter, match="nothing"):
        directory.matter("nothing")
    with pytest.raises(UnknownUnit, match="nobody"):
        directory.unit("nobody")
    with pytest.raises(UnknownSeat, match="nowhere"):
        directory.seat("nowhere")
    with pytest.raises(UnknownUnit):
        directory.unit_of(directory.matter("lawsuits"))


def test_tiers_follow_each_other_by_default_or_at_their_own_time(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    assert [tier.rings_after_s for tier in directory.unit("tax").tiers] == [0.0, 12.0, 20.0]
    faster = load_directory(tmp_path / "units.yaml", tmp_path / "matters.yaml", next_tier_after_s=5.0)
    assert [tier.rings_after_s for tier in faster.unit("tax").tiers] == [0.0, 5.0, 20.0]


def test_absent_specialists_are_not_rung_and_the_next_tier_takes_their_place(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    invoices = directory.matter("invoices")
    assert ids(directory.tiers(invoices, NOON)) == [(["bob"], 0.0), (["eve"], 8.0)]
    back = datetime(2026, 2, 26, 0, 0, tzinfo=SHANGHAI)
    assert ids(directory.tiers(invoices, back)) == [(["ann"], 0.0), (["bob"], 12.0), (["eve"], 20.0)]
    last_minute = datetime.fromisoformat("2026-02-25T15:59:00+00:00")  # 23:59 in Shanghai
    assert ids(directory.tiers(invoices, last_minute)) == [(["bob"], 0.0), (["eve"], 8.0)]


def test_a_matter_that_belongs_elsewhere_rings_nobody_of_ours(tmp_path: Path) -> None:
    directory = directory_of(tmp_path)
    assert directory.tiers(directory.matter("lawsuits"), NOON) == ()


def test_all_faults_of_all_files_come_in_one_list(tmp_path: Path) -> None:
    hotline = (
        "node_number: 0\nphone:\n  menu_matters: [invoices, taxes]\nhours:\n  workday: [12:00-09:00]\n"
        "  units: {police: {workday: [09:00-12:00]}}\n"
        "  closures: [{start: 2026-01-01, end: 2026-01-02, reason: x, units: [tax, navy]}]\n"
        "sip:\n  own_numbers: [12345, 8001]\n"
    )
    settings_file = site_of(tmp_path, hotline)
    (tmp_path / "calendar").mkdir()
    (tmp_path / "calendar" / "2026.csv").write_text("date,type,name\n2026-13-01,holiday,x\n")
    faults = "\n".join(faults_of(settings_file))
    assert "hotline.yaml:1: node_number: " in faults
    assert "hotline.yaml:3: phone.menu_matters[1]: no matter is called 'taxes'" in faults
    assert "hotline.yaml:5: hours.workday[0]: the window closes before it opens" in faults
    assert "hotline.yaml:6: hours.units.police: no unit is called 'police'" in faults
    assert "hotline.yaml:7: hours.closures[0].units[1]: no unit is called 'navy'" in faults
    assert "hotline.yaml:9: sip.own_numbers[1]: 8001 is also the number of seat seat_1" in faults
    assert "calendar/2026.csv:2: date: '2026-13-01' is no date" in faults
    assert len(faults.splitlines()) == 7


def test_faults_between_units_and_matters_come_together_with_those_of_each(tmp_path: Path) -> None:
    units = UNITS.replace("number: 6111", "number: 8001").replace("丙, number", "丙, phone")
    units = units.replace("          bob:", "          ann:")
    matters = MATTERS.replace("unit_id: tax", "unit_id: taxes").replace("code: 22", "code: 21")
    matters += "  both: {name: 都, code: 92, unit_id: tax, belongs_elsewhere: 9002}\n"
    faults = "\n".join(faults_of(site_of(tmp_path, units=units, matters=matters)))
    assert "matters.yaml:3: matters.invoices.unit_id: no unit is called 'taxes'" in faults
    assert "matters.yaml:4: matters.lawsuits.code: 21 is the code of invoices already" in faults
    assert "matters.yaml:5: matters.both" in faults
    assert "units.yaml:6: units.tax.tiers[0].specialists.ann.number: 8001 is the number of seat seat_1" in faults
    assert "units.yaml:8: units.tax.tiers[1].specialists.ann: ann stands in units.tax.tiers[0] already" in faults
    assert "units.yaml:10: units.tax.tiers[2].specialists.eve.number: is missing" in faults
    assert "units.yaml:10: units.tax.tiers[2].specialists.eve.phone: unknown key" in faults


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ("units: {tax: {name: 税}}", "units.yaml:1: units.tax.tiers: is missing"),
        ("units: {tax: {name: 税, tiers: []}}", "units.tax.tiers: Tuple should have at least 1 item"),
        ("units: {tax: {name: 税, tiers: [{specialists: {}}]}}", "units.tax.tiers[0].specialists: "),
        (UNITS.replace("rings_after_s: 20", "rings_after_s: 60"), "units.tax.tiers[2]: nobody of this tier would be"),
        (UNITS.replace("last_day: 2026-02-25", "last_day: 2026-02-01"), "last_day is before first_day"),
        (UNITS.replace("8001", "telephone"), "seats.seat_1.number"),
        (UNITS + "  seat_2: {name: 二, number: 8001}\n", "seats.seat_2.number: 8001 is the number of seat seat_1"),
        (UNITS.replace("          eve:", "          BAD-ID:"), "BAD-ID"),
        ("nothing", "units.yaml"),
        ("units: [a", "units.yaml:1: is not YAML"),
    ],
)
def test_a_unit_nobody_could_reach_is_refused(tmp_path: Path, units: str, message: str) -> None:
    assert message in "\n".join(faults_of(site_of(tmp_path, hotline="phone: {ring_s: 45}\n", units=units)))


def test_a_code_that_is_a_command_of_the_seats_phone_is_refused(tmp_path: Path) -> None:
    for code in ("91", "05", "51", "1"):
        faults = faults_of(site_of(tmp_path, matters=MATTERS.replace("code: 21", f"code: {code}")))
        assert faults[0].startswith("matters.yaml:3: matters.invoices.code: ")


def test_a_caller_who_named_no_matter_has_the_general_one(tmp_path: Path) -> None:
    matters = MATTERS + "  other: {name: 其他, code: 83, unit_id: tax}\n"
    assert directory_of(tmp_path, matters=matters).general_matter.matter_id == "invoices"
    chosen = matters.replace("general_matter: invoices", "general_matter: other")
    directory = directory_of(tmp_path, matters=chosen)
    assert directory.general_matter.matter_id == "other"
    lawsuits_first = sorted(directory.matters, key=lambda matter: matter.matter_id != "lawsuits")
    assert Directory(tuple(lawsuits_first), directory.units).general_matter.matter_id == "invoices"
    with pytest.raises(UnknownMatter):
        _ = Directory((directory.matter("lawsuits"),), ()).general_matter


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("general_matter: nothing", "matters.yaml:1: general_matter: no matter is called 'nothing'"),
        ("general_matter: lawsuits", "matters.yaml:1: general_matter: lawsuits belongs elsewhere"),
        ("# none", "matters.yaml:2: general_matter: is missing"),
    ],
)
def test_a_general_matter_nobody_answers_for_is_refused(tmp_path: Path, given: str, message: str) -> None:
    matters = MATTERS.replace("general_matter: invoices", given)
    (fault,) = faults_of(site_of(tmp_path, matters=matters))
    assert fault.startswith(message)


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "hotline.yaml").write_text("node_number: 0\n")
    faults = faults_of(tmp_path / "hotline.yaml")
    assert [fault.split(":")[0] for fault in faults] == ["hotline.yaml", "matters.yaml", "units.yaml"]


def test_a_site_may_lie_in_another_folder(tmp_path: Path) -> None:
    for name in ("units.yaml", "matters.yaml"):
        shutil.copy(SAMPLE / name, tmp_path / f"our_{name}")
    (tmp_path / "etc").mkdir()
    text = "directory_file: ../our_units.yaml\nmatters_file: ../our_matters.yaml\n"
    (tmp_path / "etc" / "hotline.yaml").write_text(text)
    assert load_site(tmp_path / "etc" / "hotline.yaml").directory.matter("tax").code == "21"
