"""What takes longer than a page may: begun by one request, looked at by those that come after it."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from ivr.refused import OperationRefused
from node.error_texts import error_text

log = structlog.get_logger()

_KEPT = 100


@dataclass(slots=True)
class Job:
    """One piece of work; at its end it has a `result`, or `wrong` says why it has none."""

    key: str
    is_running: bool = True
    result: Any = None
    wrong: Exception | None = None


class Jobs:
    """The last job of each key, a hundred in all; a job that runs is never forgotten."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def begin(self, key: str, work: Coroutine[Any, Any, Any]) -> Job:
        """Begin a job in place of the last of this key; what is refused at once is raised here."""
        job = Job(key)

        def fail(failure: Failure) -> None:
            if not isinstance(failure.value, Exception):
                failure.raiseException()
            job.wrong = failure.value
            if not isinstance(job.wrong, OperationRefused):
                log.error("job_failed", key=key, error=error_text(job.wrong))

        def end(result: Any) -> None:
            job.result = result

        working = ensureDeferred(work)
        working.addCallbacks(end, fail)
        working.addBoth(lambda _: setattr(job, "is_running", False))
        if job.wrong is not None:
            raise job.wrong
        self._jobs.pop(key, None)
        self._jobs[key] = job
        self._forget()
        return job

    def last(self, key: str) -> Job | None:
        """Return the last job of a key."""
        return self._jobs.get(key)

    def _forget(self) -> None:
        over = [key for key, job in self._jobs.items() if not job.is_running]
        for key in over[: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[key]
