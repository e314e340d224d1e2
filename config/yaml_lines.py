"""YAML read with the line of every key, so that a fault can be pointed at.

A plain scalar stays the text that was written; the schema says what it means. So `09:00` is no sexagesimal number, `01`
no octal one and `no` no boolean (all of which YAML 1.1 makes of them). Only an empty value, `~` and `null` are None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from config.errors import ConfigError, Fault

Key = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
# libyaml, where PyYAML came with it: many times as fast
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = {"", "~", "null", "Null", "NULL"}
_SECRET_KEYS = {"password", "passwd", "passphrase", "secret", "token", "api_key", "credential", "credentials"}
_NO_SECRETS = (
    "a secret never stands in this file: name an environment variable in password_env, or a file in password_file"
)

# who and password before the host, and a password among the parameters
_SECRET_IN_URL = re.compile(r"(?<=://)\S*(?=@)|(?<=password=)[^&\s]*", re.IGNORECASE)


@dataclass
class Document:
    """A YAML file: its content, and the line (from 1) of every key path in it."""

    path: Path
    content: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, key: Key, message: str) -> Fault:
        """Return a fault at `key`, or at the nearest key above it that stands in the file."""
        above = next((key[:n] for n in range(len(key), -1, -1) if key[:n] in self.lines), ())
        return Fault(str(self.path), self.lines.get(above, 0), dotted(key), message)

    def validate(self, model: type[Model]) -> Model:
        """Return the content as `model`; ConfigError with every fault of the file otherwise.

        The file's folder is passed as validation context `folder`.
        """
        try:
            valid = model.model_validate(self.content, context={"folder": self.path.parent})
        except ValidationError as wrong:
            faults = (self.fault(_in_file(error["loc"]), _plain(error)) for error in _causes(wrong))
            raise ConfigError([*self.faults, *faults]) from wrong
        if self.faults:
            raise ConfigError(self.faults)
        return valid

    def faults_of(self, model: type[BaseModel]) -> tuple[Fault, ...]:
        """Return every fault that `validate` would raise."""
        try:
            self.validate(model)
        except ConfigError as wrong:
            return wrong.faults
        return ()


def read(path: Path) -> Document:
    """Read a YAML file; ConfigError if it cannot be read or is no YAML."""
    try:
        node = _composed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigError([Fault(str(path), 0, "", f"cannot be read: {wrong}")]) from wrong
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 0
        raise ConfigError([Fault(str(path), line, "", f"is not YAML: {wrong.problem}")]) from wrong
    except yaml.YAMLError as wrong:
        raise ConfigError([Fault(str(path), 0, "", f"is not YAML: {wrong}")]) from wrong
    document = Document(path)
    document.content = {} if node is None else _content(node, (), document)
    document.lines.setdefault((), 1)
    return document


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)  # names the line better


def dotted(key: Key) -> str:
    """Return a key path as a person writes it: `sip.trunks[0].host`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.lstrip(".")


def _content(node: yaml.Node, key: Key, document: Document) -> Any:
    document.lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_content(item, (*key, n), document) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_members(node, key, document))
    is_plain = isinstance(node, yaml.ScalarNode) and not node.style  # None, or "" by libyaml
    return None if is_plain and node.value in _NULLS else node.value


def _members(node: yaml.MappingNode, key: Key, document: Document) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for name_node, value_node in node.value:
        name = str(name_node.value)
        here: Key = (*key, name)
        if name in seen:
            second = name_node.start_mark.line + 1
            document.faults.append(Fault(str(document.path), second, dotted(here), "given twice"))
            continue
        seen.add(name)
        document.lines[here] = name_node.start_mark.line + 1
        if name.lower() in _SECRET_KEYS:
            document.faults.append(document.fault(here, _NO_SECRETS))
            continue  # its value goes no further, not even into an error message
        yield name, _content(value_node, here, document)


def _causes(wrong: ValidationError) -> list[Any]:
    """Return pydantic's errors without "too short" of a list whose items are the fault."""
    errors = wrong.errors()
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(other["loc"][: len(error["loc"])] == error["loc"] for other in errors if other is not error)
    ]


def _in_file(loc: tuple[int | str, ...]) -> Key:
    """Drop what pydantic adds to a path for a fault in a mapping's key."""
    return tuple(part for part in loc if part != "[key]")


def _plain(error: Any) -> str:
    """Return pydantic's message in the words of someone who edits the file."""
    if error["type"] == "extra_forbidden":
        return "unknown key"
    if error["type"] == "missing":
        return "is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error["input"]
    if isinstance(given, str):
        given = _SECRET_IN_URL.sub("***", given)
    return f"{message} (given: {given!r})" if isinstance(given, (str, int, float)) else message
