"""A YAML file means the same, line by line, whether libyaml reads it or Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from config import yaml_bounds, yaml_lines
from config.errors import ConfigError

FILE = """\
empty:
tilde: ~
word: null
text: '~'
quoted: ""
night: no
opens: 09:00
units: [a, 'null', 01]
deep:
  long: |
    two
    lines
"""
MEANT = {
    "empty": None, "tilde": None, "word": None, "text": "~", "quoted": "", "night": "no", "opens": "09:00",
    "units": ["a", "null", "01"], "deep": {"long": "two\nlines\n"},
}  # fmt: skip


@pytest.fixture(params=[getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader], ids=["libyaml", "python"])
def _read_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_bounds, "LOADER", request.param)


@pytest.mark.usefixtures("_read_by")
def test_what_stands_in_a_file_is_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    document = yaml_lines.read(tmp_path / "a.yaml")
    assert document.content == MEANT
    assert (document.lines["opens",], document.lines["units", 2], document.lines["deep", "long"]) == (7, 8, 10)


@pytest.mark.usefixtures("_read_by")
def test_what_is_no_yaml_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("lines: 1\nunits: [a\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:3: is not YAML: expected ',' or '\]'"):
        yaml_lines.read(tmp_path / "a.yaml")
