"""Logging in and out, by password, one-time token and second factor; lock-out; the life of a session."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from console.errors import NotStored
from console.http.messages import Response
from console.people.accounts import Accounts
from console.people.passwords import Passwords
from console.people.roles import Role
from console.people.tokens import FIRST_ADMINISTRATOR, INVITATION
from tests.web.visitors import PASSWORD, House, Visitor, at_once, finished, header, text

NEW = "another good password"


def log_in(visitor: Visitor, name: str, password: str = PASSWORD, **fields: str) -> Response:
    visitor.get("/login")
    return visitor.post("/login", {"name": name, "password": password} | fields)


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/me").status == 200


def test_the_right_password_leads_to_the_home_and_log_out_ends_it() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    visitor = house.visitor()
    answer = log_in(visitor, " LI ")
    assert (answer.status, header(answer, "Location")) == (303, "/")
    assert is_in(visitor)
    visitor.post("/logout")
    assert not is_in(visitor)


def test_after_log_in_one_gets_where_one_wanted_to_go_but_nowhere_else() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    for wished, leads_to in (
        ("/home", "/home"), ("https://evil.example", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"), ("javascript:alert(1)", "/"),
    ):  # fmt: skip
        answer = log_in(house.visitor(), "li", next=wished)
        assert header(answer, "Location") == leads_to, wished


def test_an_unknown_account_a_wrong_password_and_a_shut_account_get_the_same_answer() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    house.account(Role.SEAT, "shut")
    house.account(Role.SEAT, "invited")
    finished(house.people.accounts.change("shut", is_active=False))
    finished(house.people.accounts.change("invited", password_hash=""))
    answers = set()
    for name in ("li", "nobody", "shut", "invited"):
        visitor = house.visitor()
        answer = log_in(visitor, name, "a wrong password")
        token = visitor.cookies[house.console.security.form_cookie]
        answers.add((answer.status, text(answer).replace(token, "")))
        assert not is_in(visitor)
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401


def test_a_password_is_hashed_as_often_for_an_unknown_account_as_for_a_known_one() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    worked: list[str] = []
    check = house.people.passwords._check
    house.people.passwords._check = lambda kept, given: worked.append(kept) or check(kept, given)  # type: ignore
    for name in ("li", "nobody"):
        worked.clear()
        log_in(house.visitor(), name, "a wrong password")
        assert len(worked) == 1
        assert worked[0].startswith("$argon2id$")


def test_five_failures_shut_an_account_for_a_pause_that_doubles_each_time() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    visitor = house.visitor()
    for _ in range(5):
        assert log_in(visitor, "li", "wrong").status == 401
    for pause_s in (30, 60, 120):
        locked = log_in(visitor, "li")
        assert locked.status == 429, "the right password is not even looked at"
        assert header(locked, "Retry-After") == str(pause_s + 1)
        house.time.advance(pause_s + 0.1)
        assert log_in(visitor, "li", "wrong").status == 401
    house.time.advance(241)
    assert log_in(visitor, "li").status == 303
    assert log_in(house.visitor(), "li", "wrong").status == 401, "a success forgets the failures"


def test_an_unknown_account_is_shut_just_as_a_known_one() -> None:
    house = House()
    visitor = house.visitor()
    assert [log_in(visitor, "nobody", "wrong").status for _ in range(6)] == [401] * 5 + [429]


def test_an_address_that_tries_many_accounts_is_shut_and_others_are_not() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    guesser = house.visitor()
    guesser.address = "10.0.0.66"
    for number in range(20):
        assert log_in(guesser, f"name{number}", "wrong").status == 401
    assert log_in(guesser, "li").status == 429
    assert log_in(house.visitor(), "li").status == 303


def test_log_in_gives_a_new_session_id_and_the_old_one_is_worth_nothing() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT, "li")
    cookie = house.console.security.session_cookie
    before = dict(visitor.cookies)
    visitor.post("/login", {"name": "li", "password": PASSWORD})
    assert visitor.cookies[cookie] != before[cookie]
    thief = house.visitor()
    thief.cookies = before
    assert not is_in(thief)
    assert is_in(visitor)


def test_redis_never_sees_the_id_that_the_browser_has() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    session_id = visitor.cookies[house.console.security.session_cookie]
    assert not any(session_id in key + value for key, value in house.shelf.kept.items())


def test_a_session_ends_when_nothing_is_asked_for_half_an_hour_and_after_twelve_hours_in_any_case() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    house.time.advance(1799)
    assert is_in(visitor)
    house.time.advance(1799)
    assert is_in(visitor), "asking keeps it alive"
    house.time.advance(1801)
    assert not is_in(visitor)
    busy = house.visitor(Role.SEAT)
    for _ in range(12 * 3 - 1):
        house.time.advance(1200)
        assert is_in(busy)
    house.time.advance(1200)
    assert not is_in(busy)


def test_a_session_that_was_ended_meanwhile_does_not_come_back() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    session, _ = finished(house.people.sessions.find(visitor.cookies[house.console.security.session_cookie]))
    finished(house.people.sessions.end(session))
    finished(house.people.sessions.flash(session, "a word for a page that was under way"))
    assert not is_in(visitor)


def test_logging_out_everywhere_ends_the_sessions_of_all_machines() -> None:
    house = House()
    here, there, other = house.visitor(Role.SEAT), house.visitor(Role.SEAT), house.visitor(Role.UNIT)
    here.post("/me/end-sessions")
    assert [is_in(visitor) for visitor in (here, there, other)] == [False, False, True]


def test_a_change_of_role_ends_the_sessions_of_the_account() -> None:
    house = House()
    admin, seat = house.visitor(Role.ADMIN), house.visitor(Role.SEAT, "li")
    answer = admin.post("/accounts/li", {"role": "supervisor", "is_active": "yes"})
    assert answer.status == 303
    assert not is_in(seat)
    account = house.people.accounts.find("li")
    assert account is not None
    assert account.role is Role.SUPERVISOR


def test_the_first_token_makes_an_administrator_once() -> None:
    house = House()
    token = finished(house.people.tokens.make(FIRST_ADMINISTRATOR, "", 86_400))
    visitor = house.visitor()
    assert visitor.get(f"/welcome?token={token}").status == 200
    form = {"token": token, "name": "陈管理", "password": NEW, "password_again": NEW}
    assert visitor.post("/welcome", form).status == 303
    assert visitor.get("/accounts").status == 200
    second = house.visitor()
    second.get("/login")
    assert second.post("/welcome", form | {"name": "thief"}).status == 403
    assert house.people.accounts.find("thief") is None


def test_a_token_is_worth_nothing_after_its_day() -> None:
    house = House()
    token = finished(house.people.tokens.make(FIRST_ADMINISTRATOR, "", 86_400))
    house.time.advance(86_401)
    assert house.visitor().get(f"/welcome?token={token}").status == 403


def test_a_password_that_is_refused_does_not_use_the_token_up() -> None:
    house = House()
    token = finished(house.people.tokens.make(FIRST_ADMINISTRATOR, "", 86_400))
    visitor = house.visitor()
    visitor.get(f"/welcome?token={token}")
    for password, again in (("short", "short"), ("aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa"), (NEW, "differs"),
                            ("chen's own password", "chen's own password")):  # fmt: skip
        form = {"token": token, "name": "chen", "password": password, "password_again": again}
        assert visitor.post("/welcome", form).status == 400, password
    form = {"token": token, "name": "chen", "password": NEW, "password_again": NEW}
    assert visitor.post("/welcome", form).status == 303


def test_an_administrator_invites_and_the_invited_sets_a_password_of_their_own() -> None:
    house = House()
    admin = house.visitor(Role.ADMIN)
    page = text(admin.post("/new-account", {"name": "zhang", "role": "unit", "unit_id": "tax"}))
    token = page.partition("token=")[2].partition("<")[0]
    invited = house.visitor()
    invited.get(f"/welcome?token={token}")
    assert invited.post("/welcome", {"token": token, "password": NEW, "password_again": NEW}).status == 303
    account = house.people.accounts.find("zhang")
    assert account is not None
    assert (account.role, account.unit_id) == (Role.UNIT, "tax")
    assert log_in(house.visitor(), "zhang", NEW).status == 303
    assert NEW not in (house.folder / "console" / "accounts.json").read_text()
    assert token not in (house.folder / "console" / "tokens.json").read_text()


def test_the_last_administrator_stays_one() -> None:
    house = House()
    admin = house.visitor(Role.ADMIN, "chen")
    assert admin.post("/accounts/chen", {"role": "seat"}).status == 409
    assert admin.post("/accounts/chen", {"role": "admin", "is_active": "no"}).status == 409


def test_a_second_factor_is_asked_for_and_each_code_counts_once() -> None:
    house = House()
    secret = pyotp.random_base32()
    house.account(Role.SEAT, "li")
    finished(house.people.accounts.change("li", totp_secret=secret))
    visitor = house.visitor()
    assert header(log_in(visitor, "li"), "Location") == "/login/code"
    assert not is_in(visitor), "the password alone opens nothing"
    waiting = dict(visitor.cookies)
    code = pyotp.TOTP(secret).at(house.clock.now())
    assert visitor.post("/login/code", {"code": "000000" if code != "000000" else "000001"}).status == 401
    assert visitor.post("/login/code", {"code": code}).status == 303
    assert is_in(visitor)
    assert visitor.cookies != waiting, "a new id with the second factor"
    again = house.visitor()
    log_in(again, "li")
    assert again.post("/login/code", {"code": code}).status == 401, "used already"
    house.time.advance(30)
    assert again.post("/login/code", {"code": pyotp.TOTP(secret).at(house.clock.now())}).status == 303


def secret_of(house: House, name: str) -> str:
    account = house.people.accounts.find(name)
    assert account is not None
    return account.totp_secret


def test_a_second_factor_is_set_up_with_a_picture_and_proved_before_it_counts() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT, "li")
    page = text(visitor.get("/me/second-factor"))
    secret = page.partition("<code>")[2].partition("</code>")[0]
    picture = visitor.get("/me/second-factor.svg")
    assert picture.content_type == "image/svg+xml"
    assert b"<path" in picture.body
    code = pyotp.TOTP(secret).at(house.clock.now())
    for form in ({"code": code, "password": "not mine at all"}, {"code": code[:-1], "password": PASSWORD}):
        assert visitor.post("/me/second-factor", form).status == 400
        assert secret_of(house, "li") == ""
    assert visitor.post("/me/second-factor", {"code": code, "password": PASSWORD}).status == 303
    assert secret_of(house, "li") == secret


def test_a_new_password_needs_the_old_one_and_ends_other_sessions() -> None:
    house = House()
    here, there = house.visitor(Role.SEAT), house.visitor(Role.SEAT)
    form = {"new_password": NEW, "password_again": NEW}
    assert here.post("/me/password", form | {"password": "not mine at all"}).status == 400
    assert here.post("/me/password", form | {"password": PASSWORD}).status == 303
    assert is_in(here)
    assert not is_in(there)
    assert log_in(house.visitor(), "seat", NEW).status == 303


def test_accounts_are_this_users_only_and_come_back_after_a_restart(tmp_path: Path) -> None:
    house = House()
    house.account(Role.UNIT, "zhang", unit_id="tax", number="13800000001")
    file = house.folder / "console" / "accounts.json"
    assert file.stat().st_mode & 0o777 == 0o600
    again = Accounts(file, at_once)
    again.load()
    assert again.all() == house.people.accounts.all()


def test_a_full_disk_changes_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.account(Role.ADMIN, "chen")

    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("console.people.json_file.os.fsync", full)
    with pytest.raises(NotStored):
        finished(house.people.accounts.change("chen", display_name="other"))
    account = house.people.accounts.find("chen")
    assert account is not None
    assert account.display_name == ""
    assert not list((house.folder / "console").glob(".*.new"))


def test_passwords_are_hashed_with_argon2id_at_its_recommended_cost() -> None:
    made = finished(Passwords(at_once).hash(PASSWORD, "li"))
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_failed_and_successful_log_ins_are_in_the_audit_log_without_the_password() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    log_in(house.visitor(), "li", "a wrong password")
    log_in(house.visitor(), "li")
    assert [(act.who, act.result) for act in house.audit.acts] == [("li", "401 login failed"), ("li", "303 logged in")]
    assert "password" not in str(house.audit.acts).replace("login", "")


def test_an_invitation_out_for_another_account_does_not_open_this_one() -> None:
    house = House()
    house.account(Role.SEAT, "li")
    token = finished(house.people.tokens.make(INVITATION, "gone", 60))
    visitor = house.visitor()
    visitor.get("/login")
    form = {"token": token, "name": "li", "password": NEW, "password_again": NEW}
    assert visitor.post("/welcome", form).status == 403
    assert log_in(house.visitor(), "li").status == 303


def test_the_pause_is_counted_by_the_machines_clock_not_by_the_rehearsals() -> None:
    house = House()
    visitor = house.visitor(Role.SEAT)
    house.operations.clock.advance(timedelta(days=30))
    assert is_in(visitor)
