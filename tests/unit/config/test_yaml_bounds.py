"""A YAML text of any kind is read within bounds: what goes beyond them is refused at its line, at once."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from config import yaml_bounds, yaml_lines
from config.errors import MOST_FAULTS, ConfigError

LAUGHS = 'a: &a ["lol","lol","lol","lol","lol","lol","lol","lol","lol"]\n' + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.fixture(params=[getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader], ids=["libyaml", "python"])
def _read_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_bounds, "LOADER", request.param)


def fault_of(folder: Path, content: str | bytes) -> str:
    """Return the only fault of a file: its line and what is wrong there."""
    file = folder / "a.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as refused:
        yaml_lines.read(file)
    (fault,) = refused.value.faults
    return f"{fault.line}: {fault.message}"


@pytest.mark.usefixtures("_read_by")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (LAUGHS, "2: aliases"),
        ("units: &a {x: *a}\n", "1: aliases"),
        ("seats: 1\nunits: *nothing\n", "2: aliases"),
        ("? *key\n: value\n", "1: aliases"),
        ("units: 1\nmore: " + "[" * 900, "2: is nested deeper"),
        ("".join(" " * depth + "a:\n" for depth in range(500)), "22: is nested deeper"),
        ("- " * 500, "1: is nested deeper"),
        ("{" * 900, "1: a key is a plain word"),
        ("? [a, b]\n: c\n", "1: a key is a plain word"),
        ("units: a\n---\nunits: b\n", "2: a second document"),
        ("units: a\nname: \x00\n", "2: has the control character U.0000"),
        ("units:\n\ttax: a\n", "2: is not YAML: .*it has a tab"),
        ("units：\n  a: b\nseats: c\n", "2: is not YAML: .*full-width ："),
        ("days: [09:00-12:00，13:30\nunits: a\n", "2: is not YAML: .*full-width ，"),
    ],
)
def test_what_goes_beyond_a_bound_is_refused_at_its_line(tmp_path: Path, text: str, fault: str) -> None:
    assert re.match(fault, fault_of(tmp_path, text))


def test_a_text_that_would_grow_takes_no_more_memory_than_was_written(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        fault_of(tmp_path, LAUGHS)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_file_has_so_many_bytes_and_so_many_values_at_most(tmp_path: Path) -> None:
    assert fault_of(tmp_path, b"#" * (yaml_bounds.LARGEST_BYTES + 1)) == "0: is larger than 2,500,000 bytes"
    assert "has more than 250,000 values" in fault_of(tmp_path, "units: [" + "a," * 300_000 + "]")


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-16"])
def test_a_file_in_another_encoding_is_refused_with_the_cure(tmp_path: Path, encoding: str) -> None:
    told = fault_of(tmp_path, "units:\n  tax:\n    name: 税务服务科\n".encode(encoding))
    assert told.startswith("1:" if encoding == "utf-16" else "3:")
    assert "save it as UTF-8" in told


def test_a_file_of_an_editor_that_marks_its_utf_8_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + "name: 税务\r\n".encode())
    assert yaml_lines.read(tmp_path / "a.yaml").content == {"name": "税务"}


class _Units(BaseModel):
    model_config = ConfigDict(extra="forbid")

    units: dict[str, dict[str, str]]


def test_a_full_width_colon_that_is_still_yaml_is_named_by_the_schema(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("units：{}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r":1: .*full-width ：: write ':' and a blank"):
        yaml_lines.read(tmp_path / "a.yaml").validate(_Units)


def test_a_file_with_a_fault_in_every_line_lists_the_first_and_how_many_more(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("units:\n" + "".join(f" u{number}: {'x' * 5000}\n" for number in range(300)))
    with pytest.raises(ConfigError) as refused:
        yaml_lines.read(tmp_path / "a.yaml").validate(_Units)
    assert len(refused.value.faults) == MOST_FAULTS + 1
    assert refused.value.faults[-1].message == "and 100 faults more"
    assert len(str(refused.value)) < 400 * MOST_FAULTS + 400, "a value is quoted in its first letters only"
