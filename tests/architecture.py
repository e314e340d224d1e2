"""The house as a map: `python -m tests.architecture [folder]` prints rooms, floors, arrows, circles and sizes.

A room is a folder of the product or a file that stands alone; an arrow is an import, also one for types only. A room
stands a floor above the highest room it imports, so an arrow can run up only within a circle. What may import what is
said in HOUSE, from top to bottom; `tests/test_architecture.py` holds the code against it.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
ROOMS = ("demo", "console", "node", "ivr", "callback_scheduler", "routing", "config", "processes")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Arrows = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Size:
    """How long something is, in lines."""

    name: str
    lines: int


@dataclass(frozen=True)
class House:
    """The product below a folder, read as text: nothing of it is imported."""

    root: Path

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All files of the product, by path from the root."""
        rooms = (path for room in ROOMS for path in (self.root / room).rglob("*.py"))
        return tuple(sorted(path.relative_to(self.root).as_posix() for path in [*self.root.glob("*.py"), *rooms]))

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """The syntax of each file."""
        return {file: ast.parse((self.root / file).read_text(encoding="utf-8"), file) for file in self.files}

    @cached_property
    def arrows(self) -> dict[str, frozenset[str]]:
        """The files that each file imports."""
        files = {_dotted(file): file for file in self.files}
        return {
            file: frozenset(_file_of(name, files) for name in names(file, tree)) - {"", file}
            for file, tree in self.trees.items()
        }

    def functions(self) -> Iterator[Size]:
        """Yield every function with its length, decorators and docstring included."""
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    yield Size(f"{file}: {node.name}", (node.end_lineno or first) - first + 1)

    def classes(self) -> Iterator[Size]:
        """Yield every class with its length, that of its bases of ours included: cutting one in two gains nothing."""
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    yield Size(f"{file}: {node.name}", sum(map(_length, self._with_bases(file, node))))

    def _with_bases(self, file: str, node: ast.ClassDef) -> list[ast.ClassDef]:
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        places = [(one, top) for one in {file, *self.arrows[file]} for top in self.trees[one].body]
        ours = [(one, top) for one, top in places if isinstance(top, ast.ClassDef) and top.name in bases]
        return [node, *(one for place, base in ours if base is not node for one in self._with_bases(place, base))]

    def lengths(self) -> Iterator[Size]:
        """Yield every file with its length."""
        for file in self.files:
            yield Size(file, len((self.root / file).read_text(encoding="utf-8").splitlines()))


def names(file: str, tree: ast.Module) -> Iterator[str]:
    """Yield the full dotted name of each module or name that a file imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = file.split("/")[: -node.level] if node.level else []
            base = [*package, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def folded(arrows: Arrows, room_of: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """Return arrows between rooms: those inside a room are left out, and rooms without a name."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for file, imported in arrows.items():
        if room := room_of(file):
            rooms[room] |= {room_of(one) for one in imported} - {room, ""}
    return {room: frozenset(imported) for room, imported in rooms.items()}


def circles(arrows: Arrows) -> list[tuple[str, ...]]:
    """Return the groups of rooms that import each other in a loop."""
    reached = {room: _reached(room, arrows) for room in arrows}
    groups = {tuple(sorted({room} | {one for one in reached[room] if room in reached.get(one, ())})) for room in arrows}
    return sorted(group for group in groups if len(group) > 1)


def floors(arrows: Arrows) -> dict[str, int]:
    """Return the floor of each room, 1 for the ground; rooms of a circle share a floor."""
    reached = {room: _reached(room, arrows) for room in arrows}
    found: dict[str, int] = {}
    for room in sorted(arrows, key=lambda one: len(reached[one])):
        below = [found[one] for one in arrows[room] if one in found and room not in reached.get(one, ())]
        found[room] = max(below, default=0) + 1
    return found


def in_folder(folder: str) -> Callable[[str], str]:
    """Return what names the room of a file inside `folder`, "" for a file elsewhere; the root is ""."""
    prefix = f"{folder}/" if folder else ""

    def room_of(file: str) -> str:
        room = file.removeprefix(prefix).partition("/")[0].removesuffix(".py") if file.startswith(prefix) else ""
        return "" if room == "__init__" else room

    return room_of


def entries(root: Path, folder: str) -> list[str]:
    """Return what stands at the top of a folder."""
    return sorted(path.name for path in (root / folder).iterdir() if path.name != "__pycache__")


def _reached(room: str, arrows: Arrows) -> set[str]:
    reached: set[str] = set()
    waiting = [room]
    while waiting:
        new = arrows.get(waiting.pop(), frozenset()) - reached
        reached |= new
        waiting += new
    return reached


def _dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _file_of(name: str, files: Mapping[str, str]) -> str:
    """Return the file that a dotted name comes from: a module's, or that of the module which defines the name."""
    return files.get(name) or files.get(name.rpartition(".")[0], "")


def _length(node: ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _print_plan(title: str, arrows: Arrows) -> int:
    """Print rooms floor by floor with their arrows; return how many arrows run up."""
    by_floor = floors(arrows)
    print(f"\n{title}: {len(arrows)} rooms, {sum(map(len, arrows.values()))} arrows")
    for floor in sorted(set(by_floor.values()), reverse=True):
        for room in sorted(one for one in arrows if by_floor[one] == floor):
            print(f"  {floor:>2}  {room:<22} -> {', '.join(sorted(arrows[room])) or '-'}")
    upward = [(room, one) for room in arrows for one in arrows[room] if by_floor[one] >= by_floor[room]]
    for room, one in upward:
        print(f"      UP: {room} -> {one}")
    return len(upward)


def _print_sizes(title: str, sizes: Iterable[Size]) -> None:
    ordered = sorted(sizes, key=lambda size: size.lines)
    lines = [size.lines for size in ordered]
    p90 = lines[int(0.9 * (len(lines) - 1))]
    print(
        f"  {title:<10} {len(lines):>5}   median {statistics.median(lines):g}   p90 {p90}   "
        f"largest {lines[-1]} ({ordered[-1].name})"
    )


def main(root: Path) -> None:
    """Print the map of the house below `root`."""
    house = House(root)
    upward = _print_plan("the house", folded(house.arrows, in_folder("")))
    folders = Counter(PurePosixPath(file).parent.as_posix() for file in house.files)
    for folder in sorted(folder for folder, count in folders.items() if folder != "." and count > 1):
        upward += _print_plan(f"{folder}/", folded(house.arrows, in_folder(folder)))
    loops = circles(house.arrows)
    print(f"\ncircles of files: {len(loops)}")
    for loop in loops:
        print(f"  {', '.join(loop)}")
    print(f"arrows that run up: {upward}")
    print("\nentries at the top: " + ", ".join(
        f"{room}/ {len(entries(root, room))}" for room in ROOMS if (root / room).is_dir()
    ))
    print("sizes in lines:")
    _print_sizes("functions", house.functions())
    _print_sizes("classes", house.classes())
    _print_sizes("files", house.lengths())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
