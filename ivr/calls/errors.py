"""Every error of a call, on one screen."""

from __future__ import annotations


class CallError(Exception):
    """Something a flow may have to answer."""


class CallEnded(CallError):
    """The caller's leg is gone; flows never catch this, the runner in `dispatch/runner.py` does."""


class LineLost(CallEnded):
    """The line that carried the call died; the caller did not choose to leave."""


class LegGone(CallError):
    """The other party of a leg hung up, refused, or could not be reached."""


class NobodyAccepted(CallError):
    """All numbers were rung and nobody pressed 1; `promised` if somebody pressed 3 ("in ten minutes")."""

    def __init__(self, promised: bool = False) -> None:
        super().__init__("nobody accepted")
        self.promised = promised


class NoNumber(CallError):
    """The caller gave no number that may be rung back."""


class NumberRefused(CallError):
    """A number that this site does not dial, whoever asks for it."""
