"""A file that does not grow while somebody is heard is cut; one that nobody is heard in is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.line.growth import Growth, lacks_room
from ivr.line.wav import BYTES_PER_SECOND

HEAD = 44


class Disk:
    """A recording whose writer puts so much of each second on disk."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 100.0
        path.write_bytes(bytes(HEAD))
        self.growth = Growth(str(path), 0, self.now)

    def pass_s(self, seconds: int, kept: float, is_heard: bool = True) -> list[str]:
        said = []
        for _ in range(seconds):
            with self.path.open("ab") as file:
                file.write(bytes(int(BYTES_PER_SECOND * kept)))
            self.now += 1.0
            said.append(self.growth.note(self.now, is_heard))
        return [why for why in said if why]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "r.wav")


def test_a_whole_recording_is_never_called_cut(disk: Disk) -> None:
    assert disk.pass_s(60, kept=1.0) == []
    assert disk.growth.at_the_end() == ""


def test_one_that_nobody_is_heard_in_may_stand_still(disk: Disk) -> None:
    assert disk.pass_s(60, kept=0.0, is_heard=False) == []
    assert disk.growth.at_the_end() == ""


@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_one_that_stands_still_while_somebody_is_heard_is_cut_within_a_look(disk: Disk, kept: float) -> None:
    disk.pass_s(20, kept=1.0)
    assert len(disk.pass_s(5, kept=kept)) == 1


def test_a_loop_that_stood_still_for_a_minute_has_lost_no_minute_of_sound(disk: Disk) -> None:
    disk.pass_s(10, kept=1.0)
    disk.now += 60.0
    assert disk.pass_s(4, kept=1.0) == []


def test_the_last_stretch_counts_too(disk: Disk) -> None:
    disk.pass_s(20, kept=1.0)
    disk.pass_s(3, kept=0.0)
    assert "did not come to disk" in disk.growth.at_the_end()


def test_a_moment_that_is_missing_at_the_end_is_no_fault_of_a_disk_with_room(disk: Disk) -> None:
    disk.pass_s(3, kept=0.5)
    size = disk.path.stat().st_size
    assert disk.growth.at_the_end() == ""
    assert disk.path.stat().st_size == size  # it was tried, and taken back


def test_room_is_what_is_free_where_the_file_lies(tmp_path: Path) -> None:
    assert lacks_room(str(tmp_path / "r.wav"), 1) == ""
    assert lacks_room(str(tmp_path / "r.wav"), 2**60).endswith(f"bytes are free, {2**60} must be")
