"""The audit log on disk: written before the answer, chained, and a change of it found."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from callback_scheduler.errors import JournalWriteFailed
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.ledger.verification import verify
from console.http.messages import Response
from console.people.audit import Act, Audit, audit_folder
from console.people.roles import Role
from console.visit import Visit
from routing.clock import MovableClock
from tests.web.visitors import NOON, House, at_once, text


class Log:
    """An audit log in a folder; the test itself is the reactor's thread."""

    def __init__(self, folder: Path) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self.audit = Audit(folder, self, MovableClock(NOON, monotonic=lambda: 0.0), at_once)

    def callFromThread(self, call: Callable[..., None], *args: Any) -> None:
        self._calls.put((call, args))

    def wait(self, coroutine: Any) -> Any:
        """Return what a coroutine comes to, once the writer's thread has done its part."""
        results: list[Any] = []
        ensureDeferred(coroutine).addBoth(results.append)
        while not results:
            call, args = self._calls.get(timeout=10)
            call(*args)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    made.wait(made.audit.open())
    yield made
    made.wait(made.audit.close())


def write(log: Log, count: int) -> None:
    for number in range(count):
        log.wait(log.audit.write("admin:chen", "admin", "10.0.0.5", "accounts.add_account", about=f"a{number}"))


def test_an_act_is_read_back_as_it_was_written_newest_first(log: Log) -> None:
    log.wait(log.audit.write("unit:tax:李四", "unit", "::1", "inbox.unmask", about="1", why="回电", result="200"))
    log.wait(log.audit.write("admin:chen", "admin", "::1", "accounts.end_sessions"))
    acts = log.wait(log.audit.last())
    assert acts[1] == Act(NOON, "unit:tax:李四", "unit", "::1", "inbox.unmask", "1", "回电", "200")
    assert [act.who for act in log.wait(log.audit.last(who="tax"))] == ["unit:tax:李四"]
    assert [act.what for act in log.wait(log.audit.last(1))] == ["accounts.end_sessions"]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda text: text.replace("a3", "b3"),
        lambda text: "".join(line for line in text.splitlines(True) if '"a3"' not in line),
        lambda text: "".join(text.splitlines(True)[:-2]),
    ],
    ids=["changed", "taken out", "end cut off"],
)
def test_whoever_changes_the_log_afterwards_is_found_out(tmp_path: Path, tamper: Callable[[str], str]) -> None:
    log = Log(tmp_path)
    log.wait(log.audit.open())
    write(log, 6)
    log.wait(log.audit.close())
    folder = audit_folder(tmp_path)
    assert verify(folder).is_whole
    assert verify(folder).records == 6
    file = next(folder.glob("*.journal"))
    file.write_text(tamper(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert not verify(folder).is_whole


def test_the_log_is_verified_while_it_is_written(log: Log) -> None:
    write(log, 3)
    found = log.wait(log.audit.verified())
    assert (found.is_whole, found.records) == (True, 3)


def test_the_log_is_this_users_only(log: Log, tmp_path: Path) -> None:
    write(log, 1)
    assert (tmp_path / "console").stat().st_mode & 0o077 == 0
    assert audit_folder(tmp_path).stat().st_mode & 0o077 == 0


def test_an_act_that_cannot_be_recorded_is_not_reported_as_done() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    house.audit.fails_with = JournalWriteFailed("the disk is full")
    answer = visitor.post("/me/language", {"language": "en"})
    assert answer.status == 503
    assert "审计日志" in text(answer)


def test_an_unmasked_number_is_not_sent_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    from console.http.routes import TABLE, Route  # noqa: PLC0415

    async def number(visit: Visit) -> Response:
        """Give a number."""
        visit.note(about="202603100001")
        return Response(body=b"13800000001")

    table = [*TABLE, Route("/number", ("GET",), number, roles=frozenset({Role.SUPERVISOR}), is_unmask=True)]
    monkeypatch.setattr("tests.web.visitors.TABLE", table)
    house = House()
    visitor = house.visitor(Role.SUPERVISOR)
    assert visitor.get("/number?why=complaint").body == b"13800000001"
    act = house.audit.acts[-1]
    assert (act.who, act.about, act.why) == ("supervisor:supervisor", "202603100001", "complaint")
    house.audit.fails_with = JournalWriteFailed("the disk is full")
    refused = visitor.get("/number?why=complaint")
    assert refused.status == 503
    assert b"138" not in refused.body


def everything(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(audit_folder(folder).iterdir()))


def test_a_number_in_what_is_written_is_masked_and_the_rest_of_it_goes_with_its_order(log: Log, tmp_path: Path) -> None:
    acts = [
        ("26020210007 close", "已给张三回电13800138000"), ("26020210008 close", "李四 021-62345678"),
        ("a number", "王五的事"), ("26030910001 close", "赵六"),
    ]  # fmt: skip
    for about, why in acts:
        log.wait(log.audit.write("unit:tax:周", "unit", "::1", "order_acts.act", about=about, why=why, result="200"))
    assert not any(word in everything(tmp_path) for word in ("张三", "李四", "王五", "赵六", "13800138000", "62345678"))
    written = ["已给张三回电138****8000", "李四 021****5678", "王五的事", "赵六"]
    assert [act.why for act in log.wait(log.audit.last())] == written[::-1]
    owed = frozenset({KeyName("20260202", "26020210007")})
    log.wait(log.audit.forget(NOON.replace(month=3, day=9), owed))  # NOON is on the tenth, and so are the acts
    found = [(act.about, act.why) for act in log.wait(log.audit.last())]
    assert found == [acts[3], acts[2], ("已遗忘 forgotten", "已遗忘 forgotten"), (acts[0][0], written[0])]
    log.wait(log.audit.forget(NOON.replace(month=4), frozenset()))
    assert {act.why for act in log.wait(log.audit.last())} == {"已遗忘 forgotten"}
    assert {act.who for act in log.wait(log.audit.last())} == {"unit:tax:周"}
    assert log.wait(log.audit.verified()).is_whole
