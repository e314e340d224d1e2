"""Accounts and tokens are what the disk has: whoever changes one is answered afterwards, and refused if it is full."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from callback_scheduler.errors import JournalFull
from console.errors import Impossible, NotStored
from console.http.messages import Response
from console.people.accounts import Account, Accounts
from console.people.roles import Role
from console.people.threads import InThread
from console.people.tokens import API, Tokens
from console.visit import Visit
from tests.web.visitors import House, at_once, finished, text


class SlowDisk:
    """A pool of one thread: does what it is given when it is let to, the oldest first, or finds the disk full."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], Any]) -> Awaitable[Any]:
        self._waiting.append((work, Deferred()))
        return self._waiting[-1][1]

    def let_one_go(self) -> None:
        work, done = self._waiting.pop(0)
        done.callback(work())

    def fail_one(self) -> None:
        _, done = self._waiting.pop(0)
        done.errback(OSError(28, "no space left on device"))


class People:
    """Accounts and tokens of a console whose disk is slow; `answers` are what those who asked were told, in order."""

    def __init__(self) -> None:
        self.house, self.disk = House(), SlowDisk()
        self.house.account(Role.ADMIN, "chen")
        self.house.account(Role.SEAT, "li")
        self.accounts, self.tokens = self._read(self.disk)
        self.answers: list[Any] = []

    def _read(self, in_thread: InThread) -> tuple[Accounts, Tokens]:
        folder = self.house.folder / "console"
        accounts = Accounts(folder / "accounts.json", in_thread)
        tokens = Tokens(folder / "tokens.json", in_thread, self.house.clock, accounts.vouches)
        accounts.load()
        tokens.load()
        return accounts, tokens

    def ask(self, *asked: Coroutine[Any, Any, Any]) -> None:
        for one in asked:
            ensureDeferred(one).addErrback(lambda failed: type(failed.value)).addCallback(self.answers.append)

    def name_of(self, name: str) -> str:
        """Return the name shown of an account, and see that a process started now would show the same."""
        here, after_a_crash = self.accounts.find(name), self._read(at_once)[0].find(name)
        assert here == after_a_crash
        return here.display_name if here is not None else "nobody"

    def is_good(self, token: str) -> bool:
        """Return whether a token is worth something, and see that it is the same after a crash."""
        here, after_a_crash = self.tokens.find(token, API), self._read(at_once)[1].find(token, API)
        assert here == after_a_crash
        return here is not None


@pytest.fixture
def people() -> People:
    return People()


# -- accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_is_changed_for_nobody_before_it_is_on_disk(people: People) -> None:
    people.ask(people.accounts.change("li", display_name="李"))
    assert (people.answers, people.name_of("li")) == ([], "")
    people.disk.let_one_go()
    assert (len(people.answers), people.name_of("li")) == (1, "李")


def test_a_new_account_that_the_disk_does_not_take_is_refused_and_is_none(people: People) -> None:
    people.ask(people.accounts.add(Account("wang", Role.SEAT)))
    assert people.name_of("wang") == "nobody"
    people.disk.fail_one()
    assert (people.answers, people.name_of("wang")) == ([NotStored], "nobody")


def test_of_two_changes_at_once_the_second_keeps_the_first_and_outlives_its_failure(people: People) -> None:
    people.ask(people.accounts.change("li", display_name="李"), people.accounts.change("chen", display_name="陈"))
    people.disk.let_one_go()
    assert (len(people.answers), people.name_of("chen")) == (1, "")
    people.disk.let_one_go()
    assert (people.name_of("li"), people.name_of("chen")) == ("李", "陈")
    people.ask(people.accounts.change("li", display_name="丽"), people.accounts.change("chen", display_name="辰"))
    people.disk.fail_one()
    people.disk.let_one_go()
    assert people.answers.count(NotStored) == 1
    assert (people.name_of("li"), people.name_of("chen")) == ("李", "辰")


def test_two_last_administrators_cannot_both_be_shut_out_at_once(people: People) -> None:
    people.ask(people.accounts.add(Account("zhao", Role.ADMIN, password_hash="x")))
    people.disk.let_one_go()
    people.ask(people.accounts.change("chen", is_active=False), people.accounts.change("zhao", is_active=False))
    people.disk.let_one_go()
    assert people.answers.count(Impossible) == 1
    assert people.accounts.has_administrator


# -- tokens -----------------------------------------------------------------------------------------------------------


def made(people: People, name: str = "chat") -> str:
    people.ask(people.tokens.make(API, name, 3600))
    people.disk.let_one_go()
    return str(people.answers.pop())


def test_a_token_is_shown_when_it_is_on_disk_and_the_one_before_is_good_until_then(people: People) -> None:
    before = made(people)
    people.ask(people.tokens.make(API, "chat", 3600))
    assert (people.answers, people.is_good(before)) == ([], True)
    people.disk.let_one_go()
    assert (people.is_good(before), people.is_good(people.answers[0])) == (False, True)


def test_a_token_that_could_not_be_withdrawn_is_said_to_be_good_still(people: People) -> None:
    token = made(people)
    people.ask(people.tokens.withdraw(API, "chat"))
    assert (people.answers, people.is_good(token)) == ([], True)
    people.disk.fail_one()
    assert (people.answers, people.is_good(token)) == ([NotStored], True)
    people.ask(people.tokens.withdraw(API, "chat"))
    people.disk.let_one_go()
    assert (people.answers[1:], people.is_good(token)) == ([None], False)


def test_a_token_is_used_up_once_and_not_before_that_is_on_disk(people: People) -> None:
    text_of_it = made(people)
    token = people.tokens.find(text_of_it, API)
    assert token is not None
    people.ask(people.tokens.use_up(token), people.tokens.use_up(token))
    assert (people.answers, people.is_good(text_of_it)) == ([], True)
    people.disk.let_one_go()
    assert (sorted(people.answers), people.is_good(text_of_it)) == ([False, True], False)


def test_a_use_that_is_noted_brings_no_withdrawn_token_back_and_is_tried_again_later(people: People) -> None:
    text_of_it, other = made(people), made(people, "board")
    token = people.tokens.find(text_of_it, API)
    assert token is not None
    people.ask(people.tokens.withdraw(API, "chat"))
    people.tokens.note_use(token)
    people.disk.let_one_go()
    assert not people.is_good(text_of_it)
    kept = people.tokens.find(other, API)
    assert kept is not None
    people.tokens.note_use(kept)
    people.tokens.note_use(kept)
    people.disk.fail_one()
    people.house.time.advance(601)
    people.tokens.note_use(kept)
    people.disk.let_one_go()
    noted = people.tokens.find(other, API)
    assert noted is not None
    assert noted.used_at == people.house.clock.now()
    assert people.is_good(other)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_is_sent_when_what_it_says_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    house, disk = House(), SlowDisk()
    chen = house.visitor(Role.ADMIN)
    token = finished(house.people.tokens.make(API, "chat", 3600))
    monkeypatch.setattr(house.people.tokens, "_in_thread", disk)
    with pytest.raises(AssertionError, match="it waits for something"):
        chen.post("/api-tokens/chat/revoke")
    assert house.people.tokens.find(token, API) is not None
    assert not house.audit.acts
    disk.let_one_go()
    assert house.people.tokens.find(token, API) is None
    assert house.audit.acts[-1].result == "303"


def test_who_cannot_be_obeyed_for_a_full_disk_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    chen = house.visitor(Role.ADMIN)

    async def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(house.people.tokens, "_in_thread", full)
    answer = chen.post("/api-tokens", {"name": "chat", "scopes": "online:write", "unit_id": "", "days": "30"})
    assert answer.status == 503
    assert house.console.texts.text("zh", "error.not_stored") in text(answer)
    assert house.audit.acts[-1].result == "503"

    async def journal_full(visit: Visit) -> Response:
        raise JournalFull("no space left on device")

    house.stand_in = journal_full
    assert house.console.texts.text("zh", "error.not_stored") in text(chen.post("/me/language"))


def test_what_lies_in_the_audit_log_alone_is_said_to_be_done_by_no_page_if_it_does_not_lie_there() -> None:
    house = House()
    zhang = house.visitor(Role.UNIT)
    said = house.console.texts.text("zh", "unit.said.propose")
    house.audit.fails_with = JournalFull("no space left on device")
    refused = zhang.post("/unit/people/propose", {"text": "李四已调走"})
    assert (refused.status, house.console.texts.text("zh", "error.audit") in text(refused)) == (503, True)
    house.audit.fails_with = None
    assert said not in text(zhang.get("/unit/people"))
    zhang.post("/unit/people/propose", {"text": "李四已调走"})
    assert said in text(zhang.get("/unit/people"))
