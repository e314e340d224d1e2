"""What differs between two texts of a form is shown, and takes no longer the more there is of it."""

from __future__ import annotations

from time import perf_counter

from console.admin.yaml_forms import compared

LONG = [f"line {number}" for number in range(60_000)]


def test_a_line_that_changed_is_shown_with_what_is_around_it() -> None:
    after = [*LONG[:1000], "another", *LONG[1001:]]
    assert compared(LONG, after) == [
        "@@ -999,5 +999,5 @@", " line 998", " line 999", "-line 1000", "+another", " line 1001", " line 1002",
    ]  # fmt: skip
    assert compared(LONG, LONG) == []


def test_two_texts_with_nothing_in_common_are_not_compared_line_by_line() -> None:
    # difflib takes a minute for these
    before, after = ["a", "b"] * 20_000, ["c", "a", "d", "b"] * 20_000
    begun = perf_counter()
    lines = compared(before, after)
    assert perf_counter() - begun < 2
    assert lines[:2] == ["@@ -1,39999 +1,79999 @@", "-a"]
    assert (lines.count("+c"), len(lines)) == (50, 401)
