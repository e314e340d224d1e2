"""The supervisor's list of what enterprises were not content with."""

from __future__ import annotations

from typing import Any

from console.people.roles import Role
from tests.fakes.operations import MORNING
from tests.web.visitors import House, text

BAD: dict[str, Any] = {
    "survey_id": "s1", "at": MORNING, "level": 1, "is_solved": False, "call_id": "20260310-c1", "order_id": "",
    "unit_id": "tax", "matter_id": "tax",
    "call": {"caller_number": "13812345678", "order_ids": [], "legs": [
        {"role": "caller", "name": "", "number": "13812345678", "answered_at": "x"},
        {"role": "specialist", "name": "李专员", "number": "6111", "answered_at": "x"},
        {"role": "seat", "name": "未接的人", "number": "8001", "answered_at": None},
    ]},
}  # fmt: skip


def test_a_bad_rating_is_listed_with_its_call_and_the_number_masked() -> None:
    house = House()
    house.operations.answers["follow_ups.waiting"] = [BAD, BAD | {"survey_id": "s2", "call": None, "level": 0}]
    page = text(house.visitor(Role.SUPERVISOR).get("/follow-ups"))
    for words in ("非常不满意", "未解决", "138****5678", "李专员", "20260310-c1", "2件待跟进"):
        assert words in page
    assert "13812345678" not in page
    assert "未接的人" not in page


def test_what_was_done_is_kept_under_the_supervisors_name() -> None:
    house = House()
    visitor = house.visitor(Role.SUPERVISOR, name="zhou")
    assert visitor.post("/follow-ups/s1/settle", {"why": "已回访"}).status == 303
    (act,) = [act for act in house.operations.acts if act[0] == "follow_ups.settle"]
    assert act[1][:2] == ("s1", "已回访")
    assert "zhou" in act[1][2]
    assert visitor.post("/follow-ups/s1/settle", {"why": ""}).status == 400


def test_what_the_seat_wrote_about_the_call_is_read_there() -> None:
    house = House()
    house.operations.answers["follow_ups.waiting"] = [BAD]
    note = {"call_id": BAD["call_id"], "text": "企业要求书面答复", "at": MORNING, "who": "seat:王"}
    house.operations.answers["seats.wrap_ups_of"] = {BAD["call_id"]: [note]}
    assert "企业要求书面答复" in text(house.visitor(Role.SUPERVISOR).get("/follow-ups"))


def test_only_supervisors_see_it() -> None:
    assert House().visitor(Role.ADMIN).get("/follow-ups").status == 403
