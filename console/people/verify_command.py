"""hotline verify: whether the journal and the audit log are whole, and the first record that is not."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.ledger.verification import head_in_redis, journal_id, lost_in_redis, verify
from callback_scheduler.store.redis_socket import socket_url
from config.settings import Settings
from console.people.audit import audit_folder

_SHOWN = 10
_REPAIRED = (
    "A running node builds them anew from the journal within a minute; if it says redis_lost_orders and does not, "
    "go on as docs/operations.md says under \"Orders missing in Redis\"."
)


def run(settings: Settings, *, as_json: bool) -> int:
    """Print how many records journal and audit log have, the first that is not what was written, and what Redis lacks.

    Return 1 if there is such a record, or Redis lacks an order.
    """
    folder = settings.data_dir / "journal"
    if not folder.is_dir():
        print(f"there is no journal in {folder}", file=sys.stderr)
        return 2
    url = settings.redis_address() or socket_url(settings.data_dir / "redis")
    # Redis is asked before the files are read: what a running node appends meanwhile is no contradiction
    in_redis = head_in_redis(journal_id(folder), url)
    journal = verify(folder, [in_redis] if in_redis else [])
    lost = lost_in_redis(folder, journal.journal_id, url) if journal.is_whole else None
    acts = verify(audit_folder(settings.data_dir)) if audit_folder(settings.data_dir).is_dir() else None
    if as_json:
        facts = asdict(journal) | {"is_whole": journal.is_whole, "was_compared_with_redis": in_redis is not None}
        facts["orders_lost_in_redis"] = lost
        facts["audit"] = asdict(acts) | {"is_whole": acts.is_whole} if acts else None
        print(json.dumps(facts, ensure_ascii=False, indent=2, default=str))
    else:
        print(journal.broken or f"{journal.records} records in {journal.segments} files, whole and unchanged")
        if journal.archived:
            print(f"{journal.archived} records before these were archived")
        if journal.forgotten:
            print(f"{journal.forgotten} records are forgotten: nobody can read what they say of people")
        if journal.torn:
            print(f"an append was cut off by a crash, never acknowledged: {journal.torn}")
        if in_redis is None:
            print("Redis does not run or knows nothing of this journal: not compared with it")
        if lost:
            print(f"{len(lost)} orders are missing in Redis, or parts of them: {' '.join(lost[:_SHOWN])}\n{_REPAIRED}")
        elif lost is not None:
            print("every order of the journal is in Redis")
        last = f"chain of record {journal.archived + journal.records}: {journal.head}"
        print(last if journal.is_whole else f"{journal.records} good records before it\n{JournalCorrupt.what_to_do}")
        if acts:
            print("audit log of the console:", acts.broken or f"{acts.records} acts, whole and unchanged")
    return 0 if journal.is_whole and not lost and (acts is None or acts.is_whole) else 1
