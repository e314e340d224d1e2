"""What a callback is proved by (design rule 18)."""

from __future__ import annotations

from callback_scheduler.orders.order import Attempt, Evidence

# "contacts the enterprise": less than this is a wrong number, a voicemail, a line that broke
LEAST_TALK_S = 10.0


def proves(evidence: Evidence | None) -> bool:
    """Whether the unit accepted by key 1, the enterprise answered, and both talked for ten seconds or more."""
    return (
        evidence is not None
        and evidence.accepted_at is not None
        and evidence.enterprise_answered_at is not None
        and evidence.talk_began_at is not None
        and evidence.two_way_s >= LEAST_TALK_S
    )


def proving(attempts: tuple[Attempt, ...]) -> Attempt | None:
    """Return the first attempt whose evidence proves that the enterprise was reached, None if there is none."""
    return next((attempt for attempt in attempts if proves(attempt.evidence)), None)
