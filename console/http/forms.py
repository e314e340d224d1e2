"""What came with a request: fields and files of a form, or JSON, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from console.errors import BadInput, Fault, TooLarge, Unprocessable, WrongType
from console.http.messages import Upload
from routing.from_outside import LARGEST_JSON_BYTES, read_json

_MOST_PARTS = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """The content of a request: `fields` has the first value of each field, `lists` all."""

    fields: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)
    json: Any = None


def read(body: Any, headers: Mapping[str, str], most_bytes: int) -> Sent:
    """Return what a body (a file open for reading) holds; BadInput if it is not what it says, WrongType for others."""
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind == "application/json":
        return _read_json(body, most_bytes)
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        if body.read(1):
            raise WrongType
        return Sent()
    content = body.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise TooLarge
    if kind != "multipart/form-data" and content.count(b"&") >= _MOST_PARTS:
        raise BadInput  # the parser counts the parts of the other kind only
    parser = FormDataParser(max_form_memory_size=most_bytes, max_content_length=most_bytes, max_form_parts=_MOST_PARTS)
    try:
        _, form, uploads = parser.parse(BytesIO(content), kind, len(content), options)
    except HTTPException as refused:
        raise (TooLarge if refused.code == 413 else BadInput) from refused
    except ValueError as wrong:
        raise BadInput from wrong
    files = {name: Upload(one.filename or "", one.stream.read()) for name, one in uploads.items()}
    lists = {name: tuple(values) for name, values in form.lists()}
    return Sent({name: values[0] for name, values in lists.items()}, lists, files)


def _read_json(body: Any, most_bytes: int) -> Sent:
    most_bytes = min(most_bytes, LARGEST_JSON_BYTES)
    text = body.read(most_bytes + 1)
    if len(text) > most_bytes:
        raise TooLarge
    try:
        return Sent(json=read_json(text))
    except UnicodeEncodeError as wrong:  # it is JSON, but half of a character is no text
        raise Unprocessable(faults=(Fault(where="body", what="a string has half of a surrogate pair"),)) from wrong
    except ValueError as wrong:
        raise BadInput from wrong
