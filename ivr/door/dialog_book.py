"""The answered dialogs of this moment, in a file: a node that was killed says BYE to their phones when it is back.

Appended to, never forced to disk: what a kill -9 must not lose the kernel keeps, and a machine that has lost its power
has lost its calls long before. Who has ended is written too, and the file made anew when it is mostly that; a node that
ends in good order takes it away, since numbers stand in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog

from ivr.door.dialogs import Dialog, DialogState, Talk
from ivr.sip.sockets import Hop

log = structlog.get_logger()

_FORMAT = 1
_MOST_LINES_FOR_EACH = 4
_LEAST_LINES = 2000
# Requests of the line that the book knows nothing of may have been sent since (RFC 3261 12.2.1.1: strictly higher).
_CSEQ_AHEAD = 1000


class DialogBook:
    """Keeps `path` in step with the dialogs that begin and end; `left_behind` is what the node before left in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[str, str] = {}
        self._lines = 0
        self._file: Any = None
        self.left_behind: list[Dialog] = []

    def begin(self) -> None:
        """Read what was left, and begin anew; a file that cannot be written is told, and calls go on without it."""
        self.left_behind = [dialog for dialog in map(_read, _lines_left(self._path)) if dialog is not None]
        self._make_anew()

    def note(self, dialog: Dialog) -> None:
        """Write a dialog that has been answered, or has ended."""
        key = json.dumps([part.decode("latin-1") for part in dialog.key])
        is_up = dialog.state is DialogState.CONFIRMED and not dialog.line_is_gone
        line = _written(dialog) if is_up else ""
        if line == self._open.get(key, ""):
            return
        if is_up:
            self._open[key] = line
        else:
            self._open.pop(key, None)
        self._append(f'{{"key":{key},"dialog":{line or "null"}}}\n')

    def close(self) -> None:
        """Take the file away: whoever was up has been told by now."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text)
            self._file.flush()
            self._lines += 1
            if self._lines > max(_LEAST_LINES, _MOST_LINES_FOR_EACH * len(self._open)):
                self._make_anew()
        except OSError as wrong:
            log.warning("dialog_not_noted", error=str(wrong))

    def _make_anew(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            file = open(new, "w", encoding="utf-8", opener=_private)  # noqa: SIM115  # kept open to append to
            file.write(f'{{"format":{_FORMAT}}}\n')
            file.writelines(f'{{"key":{key},"dialog":{line}}}\n' for key, line in self._open.items())
            file.flush()
            new.rename(self._path)
        except OSError as wrong:
            log.error("dialog_book_not_written", path=str(self._path), error=str(wrong))
            return
        if self._file is not None:
            self._file.close()
        self._file, self._lines = file, len(self._open)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_TRUNC, 0o600)


def _lines_left(path: Path) -> Iterable[str]:
    """Return the last line of each dialog that had not ended; nothing of a file that is none of ours."""
    try:
        first, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    except OSError:
        return []
    left: dict[str, str] = {}
    try:
        if json.loads(first).get("format") != _FORMAT:
            return []
        for line in lines:
            told = json.loads(line)
            key = json.dumps(told["key"])
            left.pop(key, None)
            if told["dialog"] is not None:
                left[key] = json.dumps(told["dialog"])
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        log.warning("dialog_book_cut_off", path=str(path), error=str(wrong))  # what stands before it counts
    return left.values()


def _written(dialog: Dialog) -> str:
    talks = [
        [_text(tag), _text(talk.near), _text(talk.far), _text(talk.target), [_text(route) for route in talk.routes]]
        for tag, talk in dialog.talks.items()
        if talk.is_answered and not talk.has_ended
    ]
    return json.dumps({
        "call_id": _text(dialog.call_id), "caller_tag": _text(dialog.caller_tag), "is_incoming": dialog.is_incoming,
        "peer": [dialog.peer.transport, dialog.peer.host, dialog.peer.port], "cseq": dialog.line_cseq,
        "invite_cseq": dialog.invite_cseq, "talks": talks,
    })  # fmt: skip


def _read(line: str) -> Dialog | None:
    try:
        told = json.loads(line)
        transport, host, port = told["peer"]
        dialog = Dialog(
            _bytes(told["call_id"]), _bytes(told["caller_tag"]), is_incoming=bool(told["is_incoming"]), line_port=0,
            peer=Hop(str(transport), str(host), int(port)), invite=b"", invite_cseq=int(told["invite_cseq"]),
            invite_branch=b"", state=DialogState.CONFIRMED,
            line_cseq=max(int(told["cseq"]), int(told["invite_cseq"])) + _CSEQ_AHEAD, line_is_gone=True,
        )  # fmt: skip
        for tag, near, far, target, routes in told["talks"]:
            dialog.talks[_bytes(tag)] = Talk(
                _bytes(near), _bytes(far), _bytes(target), tuple(map(_bytes, routes)), is_answered=True
            )
    except (ValueError, KeyError, TypeError) as wrong:
        log.warning("dialog_not_read", error=str(wrong))
        return None
    return dialog


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
