"""Answers whether the journal is what was written: whole, unchanged, and no shorter than others remember it."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from callback_scheduler.errors import JournalCorrupt, StoreUnavailable
from callback_scheduler.journal import segments
from callback_scheduler.journal.event import JournalEvent
from callback_scheduler.journal.keys import FILE, KeyMissing, KeyName, Keys
from callback_scheduler.journal.scan import scan_folder, segment_files
from callback_scheduler.journal.sealing import chain_before_sealing
from callback_scheduler.journal.segments import Segment
from callback_scheduler.store.store import Store

# At the head of a sealed record, before anything that somebody else wrote.
_SEALED_UNDER = re.compile(rb'\{"id":"[^"]*","type":"[^"]*","at":"[^"]*"(?:,"was":"[^"]*")?,"key":("[^"]*"),"sealed":')
_BATCH = 500
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A position of the journal with its chain, as somebody (`told_by`) noted it at the time."""

    position: int
    chain: str
    told_by: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first record that is not what was written; `event_id` is "" if the record cannot be read any more."""

    file: Path
    line: int
    what: str
    event_id: str = ""

    def __str__(self) -> str:
        """Tell where and what, in one line."""
        event = f", event {self.event_id}" if self.event_id else ""
        return f"{self.file}, line {self.line}{event}: {self.what}"


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What was found: so many good records before the first broken one, and the chain of the last good file's last.

    `torn` tells of an append that a crash cut off (never acknowledged, so nothing is lost), "" if there is none.
    `archived` records were before these; their files are not read, but the chain goes on from them. `forgotten` of
    those that are there cannot be read by anybody any more: the keys of what they say of people were thrown away.
    """

    records: int
    segments: int
    journal_id: str
    head: str
    broken: Broken | None
    torn: str = ""
    archived: int = 0
    forgotten: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every record is there as it was written."""
        return self.broken is None


def verify(folder: Path, remembered: Sequence[ChainHead] = ()) -> VerifyResult:
    """Read the whole journal in `folder`; compare it with its own note of its end, and with heads `remembered`.

    The chain shows what was changed, added or taken out before the end. That whole records were cut off at the end,
    only somebody can show who noted the end before. OSError if a file cannot be read.
    """
    found: list[Segment] = []
    try:
        for segment in scan_folder(folder):
            found.append(segment)
    except JournalCorrupt as corrupt:
        return _result(found, Broken(corrupt.path, corrupt.line, corrupt.what, _event_id(corrupt.path, corrupt.line)))
    heads = [*_own_note(folder), *remembered]
    broken = next((broken for head in heads if (broken := _contradiction(folder, found, head))), None)
    if broken is not None:
        return _result(found, broken)
    forgotten, broken = _sealed_for_ever(folder, found)
    return replace(_result(found, broken), forgotten=forgotten)


def head_in_redis(journal_id: str, url: str) -> ChainHead | None:
    """Return what Redis at `url` remembers of a journal; None if it does not answer or knows nothing of it."""
    store = Store.connect(url)
    try:
        position, chain = store.chain(journal_id)
    except StoreUnavailable:
        return None
    finally:
        store.close()
    return ChainHead(position, chain, "Redis") if chain else None


def lost_in_redis(folder: Path, journal_id: str, url: str) -> list[str] | None:
    """Return the orders of a whole journal that Redis at `url` should have by now and has not as a whole.

    None if it does not answer, or has nothing of this journal. OSError or JournalCorrupt if a file cannot be read.
    """
    store = Store.connect(url, timeout_s=_PATIENCE_S)
    try:
        applied = store.applied(journal_id)
        if not applied:
            return None
        orders = _orders_owed(folder, applied)
        numbers = list(orders)
        batches = (numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH))
        return [
            lost for batch in batches for lost in store.completeness.lost({number: orders[number] for number in batch})
        ]
    except StoreUnavailable:
        return None
    finally:
        store.close()


def _orders_owed(folder: Path, until: int) -> dict[str, str]:
    """Return the orders opened and not forgotten up to a position, with the event that opened each."""
    orders: dict[str, str] = {}
    for path in segment_files(folder):
        for _, _, body in segments.read(path, 0, until):
            if b'"type":"order_opened"' in body or b'"type":"order_forgotten"' in body:
                event = JournalEvent.from_fields(json.loads(body))
                if event.event_type == "order_opened":
                    orders[event.payload["order_id"]] = event.event_id
                elif event.event_type == "order_forgotten":
                    orders.pop(event.payload["order_id"], None)
    return orders


def journal_id(folder: Path) -> str:
    """Return which journal lies in `folder`; "" if its first file cannot tell."""
    for path in segment_files(folder)[:1]:
        with path.open("rb") as file, contextlib.suppress(JournalCorrupt):
            return segments.header(path, file.readline()).journal_id
    return ""


def _result(found: list[Segment], broken: Broken | None) -> VerifyResult:
    if not found:
        return VerifyResult(max(0, broken.line - 2) if broken else 0, 0, "", "", broken)
    last = found[-1]
    archived = found[0].first - 1
    records = last.last - archived
    if broken is not None and broken.file != last.path:
        records += max(0, broken.line - 2)
    torn = f"{last.path.name}, {last.torn}" if last.torn and broken is None else ""  # or it was no crash
    return VerifyResult(records, len(found), last.journal_id, last.chain, broken, torn, archived)


def _sealed_for_ever(folder: Path, found: list[Segment]) -> tuple[int, Broken | None]:
    """Return how many records are forgotten, and the first whose key is missing though nobody threw it away."""
    keys = Keys(folder / FILE)
    try:
        keys.read()
    except JournalCorrupt as corrupt:
        return 0, Broken(corrupt.path, corrupt.line, corrupt.what)
    answers: dict[bytes, bool] = {}
    forgotten = 0
    for segment in found:
        for position, _, body in segments.read(segment.path, segment.first - 1, segment.last):
            named = _SEALED_UNDER.match(body)
            if named is None:
                continue
            try:
                if named[1] not in answers:
                    answers[named[1]] = keys.key(KeyName.read(json.loads(named[1]))) is None
            except KeyMissing as missing:
                line = position - segment.first + 2
                return forgotten, Broken(segment.path, line, str(missing), _event_id(segment.path, line))
            forgotten += answers[named[1]]
    return forgotten, None


def _own_note(folder: Path) -> list[ChainHead]:
    mark = segments.read_mark(folder, segments.END_MARK)
    return [ChainHead(mark.position, mark.chain, "the journal's own note of its end")] if mark else []


def _contradiction(folder: Path, found: list[Segment], head: ChainHead) -> Broken | None:
    """What is wrong if `head` was true once; None if it still is."""
    if head.position == 0 or (found and head.position < found[0].first):  # nothing, or archived
        return None
    last = found[-1] if found else None
    if last is None or head.position > last.last:
        end = last.last if last else 0
        what = f"the journal ends at record {end}, but {head.told_by} knows {head.position}: its end was cut off"
        return Broken(last.path if last else folder, last.last - last.first + 2 if last else 0, what)
    segment = next(one for one in reversed(found) if one.first <= head.position)
    if not segment.has_chain:
        return None
    _, chain, body = next(segments.read(segment.path, head.position - 1, head.position))
    if head.chain in (chain, chain_before_sealing(body)):
        return None
    line = head.position - segment.first + 2
    what = f"record {head.position} is not the one that {head.told_by} knows: the journal was written anew or exchanged"
    return Broken(segment.path, line, what, _event_id(segment.path, line))


def _event_id(path: Path, line: int) -> str:
    """The event a line is about, as far as it can be read."""
    try:
        with path.open("rb") as file:
            named = re.search(rb'\{"id":"([0-9a-zA-Z-]+)"', next(itertools.islice(file, line - 1, None), b""))
    except OSError:
        return ""
    return named[1].decode() if named else ""
