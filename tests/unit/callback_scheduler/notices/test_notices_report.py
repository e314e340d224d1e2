"""`hotline notices`: receivers, what they refused, and what came of a second try."""

from __future__ import annotations

from callback_scheduler.notices.command import text

UP = {"receiver": "city", "is_up": True, "last_error": "", "waiting": 0, "delivered": 12, "failures_in_a_row": 0,
      "dead_letters": 1}
AWAY = UP | {"receiver": "webhook_board", "is_up": False, "last_error": "HTTP 502", "waiting": 7,
             "failures_in_a_row": 4, "dead_letters": 0}
DEAD = {"receiver": "city", "event_id": "6916", "event_type": "order_opened", "order_id": "26030310001",
        "reason": "HTTP 422 no such unit", "died_at": "2026-03-03T18:30:00+00:00"}


def test_an_operator_sees_who_is_away_and_what_died() -> None:
    retried = [{"receiver": "city", "event_id": "6915", "outcome": "delivered"}]
    assert text({"receivers": [UP, AWAY], "dead_letters": [DEAD], "retried": retried}).splitlines() == [
        "city  0 waiting  1 dead  12 delivered  up",
        "webhook_board  7 waiting  0 dead  12 delivered  away, 4 failures: HTTP 502",
        "retried  city  6915  delivered",
        "dead  6916  2026-03-04 02:30  city  order_opened  26030310001  HTTP 422 no such unit",
    ]


def test_a_site_without_receivers_is_told_so() -> None:
    assert text({"receivers": [], "dead_letters": [], "retried": []}) == "no receivers are configured"
