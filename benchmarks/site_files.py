"""The site under load: enough seats and specialists that no two conversations wait for the same person."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.phones import SPECIALIST_OF_SEAT

# Names of the sample, so that prompts are as long as real ones; the same sentence is spoken once and kept.
_MENU = {"by_seat": "企业登记", "direct_2": "税务办理", "direct_3": "社保缴纳", "direct_4": "食品经营许可"}
_DIRECT = tuple(matter for matter in _MENU if matter.startswith("direct"))
_MORE_PEOPLE = 8
_CODES = [f"{first}{rest:02}" for first in "1234678" for rest in range(100)]


@dataclass(frozen=True)
class LoadSite:
    """A site for `most` conversations at once, and what its people do."""

    most: int
    _batches: list[int] = field(default_factory=list)

    def changes(self, folder: Path, lines: int, record_calls: bool) -> dict[str, Any]:
        """Write units.yaml and matters.yaml into `folder`; return what to lay over the sample's hotline.yaml."""
        for name, content in (("units.yaml", self._units()), ("matters.yaml", self._matters())):
            (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return {
            "directory_file": str(folder / "units.yaml"),
            "matters_file": str(folder / "matters.yaml"),
            "lines": {"count": lines, "spare": 8},
            "bounds": {"trunk": {"calls_per_s": 1000, "calls_burst": 1000}},  # all come by one trunk
            # one tier for each person: the last one must have its turn within ring_all_s
            "phone": {"menu_matters": list(_MENU), "record_calls": record_calls, "ring_all_s": 3600},
            "hours": {"units": {}},
        }

    def callers(self, conversations: int, with_seat: bool) -> list[dict[str, str]]:
        """Return who rings and which key each presses: 1 is served by a seat, 2 to 4 are direct.

        Nobody rings twice: a caller whom a callback is owed hears of that instead of the menu.
        """
        self._batches.append(conversations)
        return [
            {"number": f"139{len(self._batches):03}{place:05}", "key": "1" if with_seat else "234"[place % 3]}
            for place in range(conversations)
        ]

    def seats(self) -> dict[str, tuple[str, bool]]:
        """Return what each seat keys to bring its own specialist in; every other one by SIP INFO, else by RFC 4733."""
        return {f"8{place:03}": (f"*{_CODES[place]}#", place % 2 == 0) for place in range(self.most)}

    def _units(self) -> dict[str, Any]:
        direct = -(-self.most // len(_DIRECT)) + _MORE_PEOPLE
        units = {
            matter: _unit([f"6{at * direct + place:03}" for place in range(direct)])
            for at, matter in enumerate(_DIRECT)
        }
        units |= {f"of_seat_{place}": _unit([f"{SPECIALIST_OF_SEAT}{place:03}"]) for place in range(self.most)}
        seats = {f"seat_{number}": {"name": "企业专席", "number": number} for number in self.seats()}
        return {"units": units, "seats": seats}

    def _matters(self) -> dict[str, Any]:
        codes = iter(_CODES)
        matters: dict[str, Any] = {
            f"of_seat_{place}": {"name": _MENU["by_seat"], "code": next(codes), "unit_id": f"of_seat_{place}"}
            for place in range(self.most)
        }
        for matter, name in _MENU.items():
            is_direct = matter in _DIRECT
            unit = matter if is_direct else "of_seat_0"
            matters[matter] = {"name": name, "code": next(codes), "unit_id": unit, "is_direct": is_direct}
        return {"general_matter": "by_seat", "matters": matters}


def _unit(numbers: list[str]) -> dict[str, Any]:
    """One person a tier: whoever is busy is passed over at once, and nobody is rung for nothing."""
    tiers = [{"specialists": {f"person_{number}": {"name": "窗口", "number": number}}} for number in numbers]
    return {"name": "区市场监管局", "tiers": tiers}
