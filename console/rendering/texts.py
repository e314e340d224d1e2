"""The texts of the console: Chinese, with English to switch to."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from config import yaml_lines
from config.errors import ConfigError

FOLDER = Path(__file__).with_name("texts")
LANGUAGES = ("zh", "en")
DEFAULT = "zh"


class Texts:
    """All texts of a folder: `zh.yaml` and `en.yaml`, and those of each room, `<room>.zh.yaml` and `<room>.en.yaml`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._texts = {language: _read(folder, language) for language in LANGUAGES}

    def keys(self, language: str) -> frozenset[str]:
        """Return the keys there are texts for."""
        return frozenset(self._texts[language])

    def has(self, key: str) -> bool:
        """Whether there is a text under a key."""
        return key in self._texts[DEFAULT]

    def text(self, language: str, key: str, **values: object) -> str:
        """Return the text under `key` with its values; KeyError if there is none, or a value is missing."""
        return self._texts[language][key].format_map(values)


@cache  # tests build many consoles
def _read(folder: Path, language: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.stem != language and not path.stem.endswith(f".{language}"):
            continue
        document = yaml_lines.read(path, forbids_secrets=False)  # a page asks for passwords
        if document.faults:
            raise ConfigError(document.faults)
        for key, text in _flat(document.content):
            if key in texts:
                raise ValueError(f"{path}: {key} stands in two files")
            texts[key] = text
    return texts


def _flat(tree: dict[str, object], before: str = "") -> list[tuple[str, str]]:
    """Return dotted keys: texts may be written nested or dotted."""
    texts: list[tuple[str, str]] = []
    for name, value in tree.items():
        key = f"{before}{name}"
        texts += _flat(value, f"{key}.") if isinstance(value, dict) else [(key, str(value))]
    return texts
