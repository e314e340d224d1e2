"""`hotline journal`: the records of a journal as an operator reads them, what is sealed opened for who has the keys."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal import segments
from callback_scheduler.journal.event import JournalEvent
from callback_scheduler.journal.keys import FILE, Keys
from callback_scheduler.journal.scan import scan_folder
from callback_scheduler.journal.sealing import opened


def run(folder: Path, event_type: str = "", after: int = 0) -> int:
    """Print one JSON object for each record behind `after`; 1 at the first that cannot be read, 2 without a journal.

    What is forgotten says so, and what it was about. Nothing is changed, and a node may run meanwhile.
    """
    if not folder.is_dir():
        print(f"there is no journal in {folder}", file=sys.stderr)
        return 2
    keys = Keys(folder / FILE)
    try:
        keys.read()
        for segment in scan_folder(folder):
            for position, _, body in segments.read(segment.path, max(after, segment.first - 1), segment.last):
                event = _event(segment.path, position - segment.first + 2, body, keys)
                if event_type in ("", event.event_type):
                    print(json.dumps(_fields(position, event), ensure_ascii=False))
    except JournalCorrupt as corrupt:
        print(f"{corrupt}\n{corrupt.what_to_do}", file=sys.stderr)
        return 1
    return 0


def _event(path: Path, line: int, body: bytes, keys: Keys) -> JournalEvent:
    try:
        return opened(body, "", keys)
    except (ValueError, KeyError) as wrong:
        raise JournalCorrupt(path, line, 0, f"the record cannot be read: {wrong}") from wrong


def _fields(position: int, event: JournalEvent) -> dict[str, object]:
    forgotten = {"is_forgotten": True} if event.is_forgotten else {}
    told = {"id": event.event_id, "type": event.event_type, "at": event.at.isoformat(), "payload": event.payload}
    return {"position": position, **told, **forgotten}
