"""A right that is taken away is gone at once, with all that was begun, handed out or remembered by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest

from console.errors import Impossible, NotStored
from console.http.events import Viewer
from console.http.messages import Response
from console.people.accounts import Account, Accounts
from console.people.roles import Role
from console.people.second_factors import SecondFactors
from console.people.tokens import API, INVITATION, Tokens
from tests.web.visitors import PASSWORD, House, Visitor, at_once, finished, header, text

NEW = "another good password"
Take = Callable[[Visitor], Response]
# what an administrator does to the account of another, by which the other may do less than before
TAKEN_AWAY: dict[str, Take] = {
    "disabled": lambda chen: chen.post("/accounts/wang", {"role": "admin", "is_active": "no"}),
    "another role": lambda chen: chen.post("/accounts/wang", {"role": "supervisor"}),
    "another unit": lambda chen: chen.post("/accounts/wang", {"role": "unit", "unit_id": "market"}),
    "password reset": lambda chen: chen.post("/accounts/wang/token"),
    "logged out everywhere": lambda chen: chen.post("/accounts/wang/end-sessions"),
}


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def chen(house: House) -> Visitor:
    return house.visitor(Role.ADMIN, "chen")


class Stream:
    """A browser that listens to what happens."""

    def __init__(self, house: House, name: str) -> None:
        self.is_closed = False
        house.console.events.join(self, frozenset({"call"}), Viewer(Role.SUPERVISOR, name=name))

    def write(self, text: bytes) -> None:
        """Take what is sent."""

    def close(self) -> None:
        self.is_closed = True


def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> Response:
    visitor.get("/login")
    return visitor.post("/login", {"name": name, "password": password})


def invitation_on(page: str) -> str:
    return page.partition("token=")[2].partition("<")[0]


# -- what somebody began ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", TAKEN_AWAY)
def test_sessions_streams_and_listening_in_end_whatever_way_a_right_goes(
    house: House, chen: Visitor, way: str
) -> None:
    wang = house.visitor(Role.ADMIN, "wang")
    stream, other = Stream(house, "wang"), Stream(house, "li")
    assert TAKEN_AWAY[way](chen).status < 400
    assert wang.get("/me").status == 303
    assert (stream.is_closed, other.is_closed) == (True, False)
    assert ("supervision.end_all_of", ("wang",)) in house.operations.acts


def test_a_change_that_takes_no_right_away_leaves_all_as_it_is(house: House, chen: Visitor) -> None:
    wang, stream = house.visitor(Role.ADMIN, "wang"), Stream(house, "wang")
    chen.post("/accounts/wang", {"role": "admin", "display_name": "王督办", "number": "6001"})
    assert wang.get("/me").status == 200
    assert not stream.is_closed
    assert not house.operations.acts


def test_a_reset_ends_the_old_password_before_the_new_one_is_set(house: House, chen: Visitor) -> None:
    house.account(Role.SEAT, "li")
    token = invitation_on(text(chen.post("/accounts/li/token")))
    assert log_in(house.visitor(), "li").status == 401
    invited = house.visitor()
    invited.get(f"/welcome?token={token}")
    assert invited.post("/welcome", {"token": token, "password": NEW, "password_again": NEW}).status == 303
    assert log_in(house.visitor(), "li", NEW).status == 303


def test_the_last_administrator_cannot_reset_themselves_out(house: House, chen: Visitor) -> None:
    assert chen.post("/accounts/chen/token").status == 409
    assert chen.get("/me").status == 200


def test_who_changes_a_password_while_it_is_being_reset_does_not_undo_the_reset(house: House) -> None:
    before = house.account(Role.SEAT, "li")
    finished(house.people.accounts.change("li", password_hash=""))
    with pytest.raises(Impossible):
        finished(house.people.accounts.change("li", as_of=before, password_hash="of the thief"))
    after = house.people.accounts.find("li")
    assert after is not None
    assert after.password_hash == ""


# -- what somebody handed out -----------------------------------------------------------------------------------------


def token_of(house: House, maker: str) -> Visitor:
    """Return a program with a token that `maker` made."""
    made = house.people.tokens.make(API, "robot", 3600, scopes=("calls:read",), made_by=f"admin:{maker}")
    program = Visitor(house)
    program.cookies["token"] = finished(made)
    return program


def asked(program: Visitor) -> int:
    return program.get("/api/v1/calls", authorization=f"Bearer {program.cookies['token']}").status


@pytest.mark.parametrize("way", ["disabled", "another role"])
def test_a_token_is_worth_nothing_while_who_made_it_is_no_administrator(
    house: House, chen: Visitor, way: str
) -> None:
    house.account(Role.ADMIN, "wang")
    program = token_of(house, "wang")
    assert asked(program) == 200
    TAKEN_AWAY[way](chen)
    assert asked(program) == 401
    assert "不再是管理员" in text(chen.get("/api-tokens"))


def test_another_administrator_may_answer_for_a_token_and_it_goes_on(house: House, chen: Visitor) -> None:
    house.account(Role.ADMIN, "wang")
    program = token_of(house, "wang")
    TAKEN_AWAY["disabled"](chen)
    assert chen.post("/api-tokens/robot/take-over").status == 303
    assert asked(program) == 200
    assert chen.post("/api-tokens/nobodys/take-over").status == 404


@pytest.mark.parametrize("way", ["disabled", "another role"])
def test_an_invitation_of_somebody_who_is_no_administrator_any_more_opens_nothing(
    house: House, chen: Visitor, way: str
) -> None:
    wang = house.visitor(Role.ADMIN, "wang")
    token = invitation_on(text(wang.post("/new-account", {"name": "hidden", "role": "admin"})))
    TAKEN_AWAY[way](chen)
    assert house.visitor().get(f"/welcome?token={token}").status == 403


def test_an_invitation_does_not_come_back_with_an_account_that_was_shut(house: House, chen: Visitor) -> None:
    token = invitation_on(text(chen.post("/new-account", {"name": "zhang", "role": "seat"})))
    chen.post("/accounts/zhang", {"role": "seat", "is_active": "no"})
    chen.post("/accounts/zhang", {"role": "seat", "is_active": "yes"})
    assert house.visitor().get(f"/welcome?token={token}").status == 403
    assert not house.people.tokens.of_kind(INVITATION)


def test_an_invitation_alone_does_not_stand_for_the_second_factor(house: House, chen: Visitor) -> None:
    house.account(Role.SEAT, "li")
    secret = pyotp.random_base32()
    finished(house.people.accounts.change("li", totp_secret=secret))
    token = invitation_on(text(chen.post("/accounts/li/token")))
    invited = house.visitor()
    invited.get(f"/welcome?token={token}")
    answer = invited.post("/welcome", {"token": token, "password": NEW, "password_again": NEW})
    assert header(answer, "Location") == "/login/code"
    assert invited.get("/me").status == 303
    assert invited.post("/login/code", {"code": pyotp.TOTP(secret).at(house.clock.now())}).status == 303
    assert invited.get("/me").status == 200


# -- what was used ----------------------------------------------------------------------------------------------------


def with_second_factor(house: House) -> tuple[Account, str]:
    """Return an account with a second factor, and the code of now."""
    secret = pyotp.random_base32()
    house.account(Role.SEAT, "li")
    account = finished(house.people.accounts.change("li", totp_secret=secret))
    return account, pyotp.TOTP(secret).at(house.clock.now())


def test_a_code_that_was_used_is_not_good_again_after_a_restart(house: House) -> None:
    account, code = with_second_factor(house)
    assert finished(house.people.second_factors.fits(account, code))
    accounts = Accounts(house.folder / "console" / "accounts.json", at_once)
    accounts.load()
    after = SecondFactors(accounts, house.clock)
    assert not finished(after.fits(account, code))
    house.clock.advance(timedelta(seconds=30))
    assert finished(after.fits(account, pyotp.TOTP(account.totp_secret).at(house.clock.now())))


def test_a_code_lets_nobody_in_before_the_disk_has_it_as_used(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    account, code = with_second_factor(house)

    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("console.people.json_file.os.fsync", full)
    with pytest.raises(NotStored):
        finished(house.people.second_factors.fits(account, code))


def test_a_clock_that_was_a_year_ahead_locks_no_second_factor_out(house: House) -> None:
    account, code = with_second_factor(house)
    assert finished(house.people.accounts.use_step("li", 10**9, 10**9))
    assert finished(house.people.second_factors.fits(account, code))


def test_accounts_and_tokens_of_an_earlier_version_are_read(house: House) -> None:
    folder = house.folder / "console"
    folder.mkdir(exist_ok=True)
    account = {"name": "li", "role": "seat", "password_hash": "x", "generation": 3, "totp_secret": "ABC"}
    (folder / "accounts.json").write_text(json.dumps({"accounts": [account]}), encoding="utf-8")
    accounts = Accounts(folder / "accounts.json", at_once)
    accounts.load()
    read = accounts.find("li")
    assert read is not None
    assert (read.totp_used_step, read.usual_addresses, read.generation) == (0, (), 3)
    token = {"key": "k", "kind": "api", "name": "chat", "expires_at": "2030-01-01T00:00:00+00:00", "scopes": []}
    (folder / "tokens.json").write_text(json.dumps({"tokens": [token]}), encoding="utf-8")
    tokens = Tokens(folder / "tokens.json", at_once, house.clock, accounts.vouches)
    tokens.load()
    assert [tokens.is_vouched_for(one) for one in tokens.of_kind(API)] == [True], "nobody was noted as its maker then"
