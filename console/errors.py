"""Everything the console refuses, as one tree; each error is a page and, for the API, a JSON answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One thing that is wrong in what was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: str = Field(description="body, query or header, and the way to the value: body/why", examples=["body/why"])
    what: str = Field(description="What is wrong there, in English.")


class ConsoleError(Exception):
    """A request is refused: with `status`, for a reason people can read (`text`, or the text under `key`)."""

    status = 500
    key = "error.500"
    comes_back_s = 0  # when it may be tried again, if nothing better is known; 0: that is not known

    def __init__(
        self, text: str = "", *, key: str = "", retry_after_s: int = 0, faults: tuple[Fault, ...] = ()
    ) -> None:
        super().__init__(text or key or self.key)
        self.text, self.retry_after_s, self.faults = text, retry_after_s or self.comes_back_s, faults
        if key:
            self.key = key


class BadInput(ConsoleError):
    """What was sent is not what was asked for."""

    status, key = 400, "error.400"


class NotLoggedIn(ConsoleError):
    """Nobody is logged in, or the session is over."""

    status, key = 401, "error.401"


class NotAllowed(ConsoleError):
    """Whoever asks may not."""

    status, key = 403, "error.403"


class Forged(NotAllowed):
    """The request does not come from a page of ours: wrong origin, or no valid token of the form."""

    key = "error.forged"


class NotFound(ConsoleError):
    """There is no such thing, or it is not for whoever asks."""

    status, key = 404, "error.404"


class WrongMethod(ConsoleError):
    """The address does not take this method; `allowed` are those it takes."""

    status, key = 405, "error.405"
    allowed: tuple[str, ...] = ()


class Impossible(ConsoleError):
    """It cannot be done now; things are as they were."""

    status, key = 409, "error.409"


class TooLarge(ConsoleError):
    """More was sent than this address takes."""

    status, key = 413, "error.413"


class WrongType(ConsoleError):
    """What was sent is of a type that this address does not read."""

    status, key = 415, "error.415"


class Unprocessable(ConsoleError):
    """What was sent can be read, and is not what this address takes; `faults` says where."""

    status, key = 422, "error.422"


class TooMany(ConsoleError):
    """Too many tries; `retry_after_s` says when the next one is taken."""

    status, key = 429, "error.429"


class Unavailable(ConsoleError):
    """Redis does not answer, or the answer took too long; who asks may come back soon."""

    status, key = 503, "error.503"
    comes_back_s = 5


class NotStored(Unavailable):
    """The disk did not take it; what counts is what was written before."""

    key = "error.not_stored"
    comes_back_s = 30
