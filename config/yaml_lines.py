"""YAML read with the line of every key, so that a fault can be pointed at.

A plain scalar stays the text that was written; the schema says what it means. So `09:00` is no sexagesimal number, `01`
no octal one and `no` no boolean (all of which YAML 1.1 makes of them). Only an empty value, `~` and `null` are None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from config import yaml_bounds
from config.errors import ConfigError, Fault
from config.yaml_bounds import Key as Key  # noqa: PLC0414  # whoever reads faults needs it
from config.yaml_bounds import Scalar, full_width_cure

Model = TypeVar("Model", bound=BaseModel)
_LONGEST_SHOWN = 200
_NULLS = {"", "~", "null", "Null", "NULL"}
_SECRET_KEYS = {"password", "passwd", "passphrase", "secret", "token", "api_key", "credential", "credentials"}
_NO_SECRETS = (
    "a secret never stands in this file: name an environment variable in password_env, or a file in password_file"
)

# who and password before the host, and a password among the parameters
_SECRET_IN_URL = re.compile(r"(?<=://)\S*(?=@)|(?<=password=)[^&\s]*", re.IGNORECASE)


@dataclass
class Document:
    """A YAML file: its content, and the line (from 1) of every key path in it.

    A key that would have a secret is a fault where `forbids_secrets`.
    """

    path: Path
    forbids_secrets: bool = True
    content: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def at(self, key: Key, line: int) -> None:
        """Note the line of a value, unless it has that of its key."""
        self.lines.setdefault(key, line)

    def takes(self, key: Key, line: int) -> bool:
        """Note the line of a key; False if it stands there twice, or would have a secret."""
        if key in self.lines:
            self.faults.append(Fault(str(self.path), line, dotted(key), "given twice"))
            return False
        self.lines[key] = line
        if self.forbids_secrets and str(key[-1]).lower() in _SECRET_KEYS:
            self.faults.append(self.fault(key, _NO_SECRETS))
            return False  # its value goes no further, not even into an error message
        return True

    def meaning(self, word: Scalar) -> str | None:
        """Return what a word means: itself, or nothing."""
        return None if word.is_plain and word.text in _NULLS else word.text

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


def read(path: Path, *, forbids_secrets: bool = True) -> Document:
    """Read a YAML file; ConfigError if it cannot be read, is no YAML, or goes beyond the bounds of `yaml_bounds`."""
    text = yaml_bounds.text_of(path)
    document = Document(path, forbids_secrets)
    document.content = yaml_bounds.build(path, text, document)
    document.lines.setdefault((), 1)
    return document


def dotted(key: Key) -> str:
    """Return a key path as a person writes it: `sip.trunks[0].host`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.lstrip(".")


def _causes(wrong: ValidationError) -> list[Any]:
    """Return pydantic's errors without "too short" of a list whose items are the fault."""
    errors = wrong.errors(include_url=False, include_context=False)
    above = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in above]


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
    if not isinstance(given, (str, int, float)):
        return message
    cure = full_width_cure(given) if isinstance(given, str) else ""
    if isinstance(given, str):
        given = _SECRET_IN_URL.sub("***", given)
    shown = repr(given) if len(str(given)) <= _LONGEST_SHOWN else repr(str(given)[:_LONGEST_SHOWN]) + "..."
    return f"{message} (given: {shown}){cure}"
