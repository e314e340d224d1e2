"""The shape of the code, checked by reading it: imports go down only, and each outside library has one home.

`python -m tests.architecture` draws what is checked here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import ROOMS, House, circles, entries, floors, folded, in_folder, names

ROOT = Path(__file__).parent.parent
# What may import what, from top to bottom: a room imports rooms of the floors below it, and none of its own floor or of
# one above. A room is a folder, or a file that stands alone; a new one is given its place here.
FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "": (
        ("hotline",), ("console", "demo"), ("node",), ("ivr",), ("callback_scheduler",), ("routing",),
        ("config", "processes"),
    ),
    "console": (
        ("site",), ("web",), ("gate", "entry", "supervisor", "unit", "seat", "wall", "admin", "api"), ("visit",),
        ("rendering", "http"), ("people",), ("errors",),
    ),
    "node": (
        ("serve",), ("node",), ("console_port", "control_answers"), ("operations",),
        ("control", "listings", "lines", "drain", "data_dir"),
        ("control_client", "error_texts", "readiness", "ways_out"),
    ),
    "ivr": (("dispatch",), ("flows",), ("calls",), ("door", "pool", "speech"), ("sip", "line", "refused")),
    "callback_scheduler": (
        ("rehearsal",), ("backup", "notices", "timetable"), ("ledger", "reports"), ("store",), ("journal", "orders"),
        ("errors",),
    ),
}  # fmt: skip
HOMES = {
    "pjsua2": ("ivr/line/",),
    "redis": ("callback_scheduler/store/",),
    "yaml": ("config/yaml_bounds.py", "demo/service.py"),  # one reads; the other writes settings of a demo
    "apscheduler": ("callback_scheduler/timetable/timetable.py",),
}
MOST_LINES = 400

MOST_LINES_OF_A_FUNCTION = 60
MOST_AT_THE_TOP = {"callback_scheduler": 12, "ivr": 11, "console": 18}
ROOT_MODULES = tuple(path.stem for path in ROOT.glob("*.py"))

HOUSE = House(ROOT)
PRODUCT = list(HOUSE.files)
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks").rglob("*.py"))
FOLDERS = sorted({folder.as_posix() for file in PRODUCT for folder in Path(file).parents} - {"."} | {""})


@cache
def tree(file: str) -> ast.Module:
    return HOUSE.trees.get(file) or ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=file)


def imports(file: str) -> Iterator[str]:
    """Yield the full dotted name of each module or name that `file` imports, wherever in the file."""
    return names(file, tree(file))


def room_of(file: str) -> str:
    return file.partition("/")[0]


def calls(file: str) -> Iterator[str]:
    """Yield the dotted name of each function that `file` calls, as written there."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("folder", FLOORS)
def test_imports_go_down_only(folder: str) -> None:
    floor_of = {room: floor for floor, rooms in enumerate(reversed(FLOORS[folder]), start=1) for room in rooms}
    arrows = folded(HOUSE.arrows, in_folder(folder))
    assert set(arrows) == set(floor_of), "every room has its floor, and every floor its rooms"
    upward = [f"{room} -> {one}" for room in arrows for one in arrows[room] if floor_of[one] >= floor_of[room]]
    assert not upward, f"{folder or 'the house'}: {upward}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rooms_import_each_other_in_a_circle(folder: str) -> None:
    assert not circles(folded(HOUSE.arrows, in_folder(folder)))


def test_no_files_import_each_other_in_a_circle() -> None:
    assert not circles(HOUSE.arrows)


@pytest.mark.parametrize("file", PRODUCT)
def test_the_product_imports_neither_tests_nor_benchmarks(file: str) -> None:
    assert not [name for name in imports(file) if name.split(".")[0] in ("tests", "benchmarks")]


@pytest.mark.parametrize("room", MOST_AT_THE_TOP)
def test_a_room_is_seen_at_one_look(room: str) -> None:
    assert len(entries(ROOT, room)) <= MOST_AT_THE_TOP[room]


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder])
def test_every_room_says_what_it_is_for(folder: str) -> None:
    assert f"{folder}/__init__.py" in PRODUCT


def test_no_function_is_longer_than_a_page() -> None:
    long = [size for size in HOUSE.functions() if size.lines > MOST_LINES_OF_A_FUNCTION]
    assert not long


def test_no_class_is_a_book_however_it_is_cut() -> None:
    long = [size for size in HOUSE.classes() if size.lines > MOST_LINES]
    assert not long


def test_a_circle_and_an_arrow_that_runs_up_are_found() -> None:
    # what finds them must not fall silent: a house with nothing wrong passes everything
    arrows = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}
    assert circles(arrows) == [("b", "c")]
    assert floors({"a": frozenset({"b"}), "b": frozenset()}) == {"a": 2, "b": 1}
    assert folded({"x/one.py": frozenset({"y/two.py"}), "y/two.py": frozenset()}, in_folder("")) == {
        "x": frozenset({"y"}), "y": frozenset(),
    }  # fmt: skip


@pytest.mark.parametrize("file", [file for file in PRODUCT if file.startswith("ivr/line/")])
def test_a_line_imports_nothing_of_ours_but_its_own_folder_and_processes(file: str) -> None:
    ours = [name for name in imports(file) if name.split(".")[0] in (*ROOMS, *ROOT_MODULES)]
    foreign = [name for name in ours if not f"{name}.".startswith(("ivr.line.", "processes."))]
    assert not foreign, f"{file} runs in a small child process and drags in {foreign}"


@pytest.mark.parametrize("file", PRODUCT)
def test_each_outside_library_is_imported_in_its_home_only(file: str) -> None:
    strayed = {
        name for name in imports(file) for library, homes in HOMES.items()
        if name.split(".")[0] == library and not file.startswith(homes)
    }
    assert not strayed, f"{file} imports {strayed}; their homes are {HOMES}"


@pytest.mark.parametrize("file", PRODUCT + TESTS + BENCHMARKS)
def test_every_file_says_in_its_first_line_what_it_is(file: str) -> None:
    doc = ast.get_docstring(tree(file))
    assert doc, f"{file} has no docstring"
    first = doc.splitlines()[0]
    assert first.endswith((".", "。")), f"{file}: the first line is not a whole sentence: {first!r}"
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    opening = next(line for line in lines if not line.startswith("#!"))
    assert opening.startswith(('"""', 'r"""')), f"{file} does not begin with its docstring"


@pytest.mark.parametrize("file", PRODUCT + TESTS + BENCHMARKS)
def test_a_file_is_a_chapter_not_a_book(file: str) -> None:
    length = len((ROOT / file).read_text(encoding="utf-8").splitlines())
    assert length <= MOST_LINES, f"{file} has {length} lines"


@pytest.mark.parametrize("file", [file for file in PRODUCT if not file.startswith("demo/")])
def test_the_product_never_sleeps(file: str) -> None:
    # demo plays the people on the phones, and people wait; nothing that serves calls may
    sleeping = [name for name in calls(file) if name in ("time.sleep", "sleep")]
    assert not sleeping, f"{file} blocks its process with {sleeping}"


@pytest.mark.parametrize("file", [file for file in PRODUCT if file != "routing/clock.py"])
def test_only_the_clock_knows_what_time_it_is(file: str) -> None:
    asked = [
        name for name in calls(file)
        if name.endswith(("datetime.now", "datetime.utcnow", "datetime.today", "date.today"))
    ]
    assert not asked, f"{file} asks {asked} instead of the clock, so a rehearsal at another hour would be wrong"


def test_the_ways_through_the_house_name_files_that_are_there() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Four ways")[2]
    named = set(re.findall(r"`([\w/]+\.(?:py|lua))`", document))
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.suffix in (".py", ".lua")}
    lost = [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in there)]
    assert len(named) > 30
    assert not lost
