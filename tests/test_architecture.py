"""The shape of the code, checked by reading it: imports go down only, and each outside library has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# from top to bottom: a room imports from rooms further down, never from one further up
ROOMS = ("demo", "console", "node", "ivr", "callback_scheduler", "routing", "config", "processes")
HOMES = {
    "pjsua2": ("ivr/line/",),
    "redis": ("callback_scheduler/store/",),
    "apscheduler": ("callback_scheduler/timetable/timetable.py",),
}
MOST_LINES_OF_PRODUCT, MOST_LINES_OF_TESTS = 350, 500
ROOT_MODULES = tuple(path.stem for path in ROOT.glob("*.py"))

PRODUCT = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.py"), *(found for room in ROOMS for found in (ROOT / room).rglob("*.py"))]
)
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks").rglob("*.py"))


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=file)


def imports(file: str) -> Iterator[str]:
    """Yield the full dotted name of each module or name that `file` imports, wherever in the file."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = file.split("/")[: -node.level] if node.level else []
            base = [*package, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def room_of(file: str) -> str:
    return file.partition("/")[0]


def calls(file: str) -> Iterator[str]:
    """Yield the dotted name of each function that `file` calls, as written there."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("file", [file for file in PRODUCT if room_of(file) in ROOMS])
def test_imports_go_down_only(file: str) -> None:
    above = ROOMS[: ROOMS.index(room_of(file))]
    upward = [name for name in imports(file) if name.split(".")[0] in (*above, *ROOT_MODULES, "tests", "benchmarks")]
    assert not upward, f"{file} imports from above: {upward}"


@pytest.mark.parametrize("file", [file for file in PRODUCT if file.startswith("ivr/line/")])
def test_a_line_imports_nothing_of_ours_but_its_own_folder_and_processes(file: str) -> None:
    ours = [name for name in imports(file) if name.split(".")[0] in (*ROOMS, *ROOT_MODULES)]
    foreign = [name for name in ours if not f"{name}.".startswith(("ivr.line.", "processes."))]
    assert not foreign, f"{file} runs in a small child process and drags in {foreign}"


@pytest.mark.parametrize("file", [file for file in PRODUCT if room_of(file) in ROOMS])
def test_only_hotline_py_knows_all_rooms(file: str) -> None:
    rooms = {name.split(".")[0] for name in imports(file)} & set(ROOMS)
    assert rooms != set(ROOMS), f"{file} imports all rooms; that is the work of hotline.py"


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
    assert length <= (MOST_LINES_OF_PRODUCT if file in PRODUCT else MOST_LINES_OF_TESTS), f"{file} has {length} lines"


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


def test_the_rooms_are_there() -> None:
    # a renamed folder would leave the tests above with nothing to look at, and green
    missing = [room for room in ROOMS if not (ROOT / room / "__init__.py").exists()]
    assert missing in ([], ["console"])
