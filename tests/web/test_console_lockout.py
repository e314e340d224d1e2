"""A lock-out stops who guesses, and is no weapon: nobody is kept out by what others did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from console.errors import TooMany
from console.http.messages import Response
from console.people.accounts import Accounts
from console.people.devices import KnownDevices, network_of
from console.people.passwords import Passwords
from console.people.roles import Role
from tests.web.visitors import PASSWORD, House, Visitor, at_once, finished, header, text


@pytest.fixture
def house() -> House:
    house = House()
    house.account(Role.SEAT, "li")
    house.account(Role.SEAT, "wang")
    return house


def at(house: House, address: str) -> Visitor:
    visitor = house.visitor()
    visitor.address = address
    return visitor


def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> Response:
    visitor.get("/login")
    return visitor.post("/login", {"name": name, "password": password})


def attack(house: House, name: str, address: str = "203.0.113.9") -> None:
    """Fail in a name until it is shut for strangers."""
    stranger = at(house, address)
    assert [log_in(stranger, name, "wrong").status for _ in range(6)] == [401] * 5 + [429]


def moved(visitor: Visitor, address: str) -> Visitor:
    """Return the same browser at another address."""
    visitor.address = address
    return visitor


def test_a_device_that_logged_in_before_gets_in_from_anywhere_while_strangers_are_shut_out(house: House) -> None:
    laptop = at(house, "10.0.0.5")
    assert log_in(laptop, "li").status == 303
    laptop.post("/logout")
    attack(house, "li")
    assert log_in(at(house, "10.0.0.99"), "li").status == 429
    assert log_in(moved(laptop, "10.0.0.77"), "li").status == 303


def test_an_address_from_which_one_logged_in_before_gets_in_with_another_browser(house: House) -> None:
    assert log_in(at(house, "10.0.0.5"), "li").status == 303
    attack(house, "li")
    assert log_in(at(house, "10.0.0.5"), "li").status == 303
    assert log_in(at(house, "10.0.0.6"), "li").status == 429


def test_a_known_device_gets_in_though_others_behind_its_address_have_it_shut(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    guesser = at(house, "10.0.0.5")
    for number in range(20):
        log_in(guesser, f"name{number}", "wrong")
    assert log_in(at(house, "10.0.0.5"), "li").status == 429
    assert log_in(seat, "li").status == 303


@pytest.mark.parametrize("how", ["device", "address"])
def test_who_guesses_on_a_known_device_or_from_a_usual_address_is_shut_out_as_a_stranger_is(
    house: House, how: str
) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    thief = moved(seat, "10.0.0.66") if how == "device" else at(house, "10.0.0.5")
    assert [log_in(thief, "li", "wrong").status for _ in range(6)] == [401] * 5 + [429]
    assert log_in(thief, "li").status == 429
    assert log_in(at(house, "10.0.0.7"), "li").status == 303, "that shuts nobody else out"


def test_the_cookie_of_one_account_makes_no_known_device_for_another(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    attack(house, "wang")
    assert log_in(moved(seat, "10.0.0.6"), "wang").status == 429


def test_a_machine_that_two_people_share_is_known_to_both(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    log_in(seat, "wang")
    for name in ("li", "wang"):
        attack(house, name, f"203.0.113.{len(name)}")
        assert log_in(moved(seat, "10.0.0.6"), name).status == 303


@pytest.mark.parametrize("forgery", ["", "~~~~", "a.b.c.d", "é" * 40, "0.0.0." + "0" * 32, "." * 4000])
def test_a_cookie_that_we_did_not_sign_makes_nobody_known(house: House, forgery: str) -> None:
    attack(house, "li")
    stranger = at(house, "10.0.0.6")
    stranger.cookies[house.console.security.device_cookie] = forgery
    assert log_in(stranger, "li").status == 429


def test_a_cookie_whose_day_is_changed_is_none_of_ours(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    seat.post("/logout")
    name = house.console.security.device_cookie
    owner, made_at, rest = seat.cookies[name].split(".", 2)
    seat.cookies[name] = f"{owner}.{int(made_at) + 1}.{rest}"
    attack(house, "li")
    assert log_in(moved(seat, "10.0.0.6"), "li").status == 429


@pytest.mark.parametrize("what", ["end-sessions", "token"])
def test_what_ends_the_sessions_of_an_account_makes_its_devices_strangers(house: House, what: str) -> None:
    stolen = at(house, "10.0.0.5")
    log_in(stolen, "li")
    house.visitor(Role.ADMIN, "chen").post(f"/accounts/li/{what}")
    finished(house.people.accounts.change("li", password_hash=house.account(Role.SEAT, "wang").password_hash))
    attack(house, "li")
    assert log_in(moved(stolen, "10.0.0.6"), "li").status == 429


def test_a_new_password_keeps_the_device_known_on_which_it_was_set(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    form = {"password": PASSWORD, "new_password": "another good password", "password_again": "another good password"}
    assert seat.post("/me/password", form).status == 303
    attack(house, "li")
    assert log_in(moved(seat, "10.0.0.6"), "li", "another good password").status == 303


def test_a_device_is_a_stranger_again_after_half_a_year(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    house.clock.advance(timedelta(days=180))
    attack(house, "li")
    assert log_in(moved(seat, "10.0.0.6"), "li").status == 429


def test_who_is_logged_in_changes_a_password_though_strangers_shut_the_account(house: House) -> None:
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    del seat.cookies[house.console.security.device_cookie]
    attack(house, "li")
    moved(seat, "10.0.0.6")
    wrong = {"password": "wrong", "new_password": "another good password", "password_again": "another good password"}
    assert [seat.post("/me/password", wrong).status for _ in range(6)] == [400] * 5 + [429], "but does not guess it"


def test_a_flood_of_strangers_leaves_room_for_who_logged_in_before() -> None:
    slow: Any = Deferred()
    passwords = Passwords(lambda work: slow)
    flood = [ensureDeferred(passwords.fits("", f"guess {number}", is_stranger=True)) for number in range(40)]
    for one in flood:
        one.addErrback(lambda refused: refused.trap(TooMany))
    assert sum(one.called for one in flood) == 25, "15 wait"
    known = ensureDeferred(passwords.fits("", PASSWORD))
    assert not known.called, "it waits, too, and is not refused"
    slow.callback(False)


def test_a_stranger_is_one_to_the_passwords_and_who_is_known_is_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    async def fits(password_hash: str, password: str, *, is_stranger: bool = False) -> bool:
        asked.append(is_stranger)
        return password == PASSWORD

    monkeypatch.setattr(house.people.passwords, "fits", fits)
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    seat.post("/logout")
    log_in(seat, "li")
    log_in(at(house, "10.0.0.6"), "nobody", "wrong")
    assert asked == [True, False, True]


def test_wrong_tokens_shut_an_address_and_nobody_elsewhere(house: House) -> None:
    guesser = at(house, "203.0.113.9")
    assert {guesser.get(f"/welcome?token=wrong{number}").status for number in range(20)} == {403}
    assert guesser.get("/welcome?token=wrong").status == 429
    assert at(house, "10.0.0.5").get("/welcome?token=wrong").status == 403


def test_known_devices_and_usual_addresses_outlive_a_restart(house: House) -> None:
    house.people.devices.load()
    seat = at(house, "10.0.0.5")
    log_in(seat, "li")
    file = house.folder / "console" / "devices.json"
    assert file.stat().st_mode & 0o777 == 0o600
    again, accounts = KnownDevices(file, house.clock, 60), Accounts(house.folder / "console" / "accounts.json", at_once)
    again.load()
    accounts.load()
    account = accounts.find("li")
    assert account is not None
    assert account.usual_addresses == ("10.0.0.5",)
    cookie = seat.cookies[house.console.security.device_cookie]
    assert again.recognise(cookie, account)
    assert not KnownDevices(file, house.clock, 60).recognise(cookie, account), "the key is what makes it ours"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "zz"}', b'{"format": 2, "key": "00"}', b"[" * 100_000])
def test_a_damaged_key_keeps_no_console_from_starting(house: House, content: bytes) -> None:
    file = house.folder / "console" / "devices.json"
    file.write_bytes(content)
    house.people.devices.load()
    again = KnownDevices(file, house.clock, 60)
    again.load()
    account = house.account(Role.SEAT, "li")
    assert again.recognise(house.people.devices.cookie("", account), account), "a new key took its place"


def test_a_full_disk_keeps_no_console_from_starting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("console.people.json_file.os.fsync", full)
    house.people.devices.load()
    account = house.people.accounts.find("li")
    assert account is not None
    assert house.people.devices.recognise(house.people.devices.cookie("", account), account)


def test_the_administrator_sees_who_is_shut_out_and_that_usual_devices_get_in(house: House) -> None:
    attack(house, "li")
    page = text(house.visitor(Role.ADMIN, "chen").get("/accounts"))
    assert "账号 li 因多次登录失败，暂不接受陌生设备登录（常用设备和常用地址不受影响）" in page


def test_an_ipv6_subscriber_is_one_address_and_a_mapped_one_its_ipv4(house: House) -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:10.0.0.5") == "10.0.0.5"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == ""


def test_the_pause_is_told_in_the_header(house: House) -> None:
    attack(house, "li")
    assert int(header(log_in(at(house, "10.0.0.6"), "li"), "Retry-After")) == 31
