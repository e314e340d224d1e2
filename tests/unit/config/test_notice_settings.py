"""`notices` in hotline.yaml: what is unsafe is refused, and the commented sample is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import config
from config.errors import ConfigError
from config.notices import HttpReceiver, NoticeSettings
from config.settings import load

SAMPLE = Path(config.__file__).parent / "hotline.yaml"
HOOK = "webhooks: [{name: board, url: 'https://b.example/x', secret_env: S"


def faults(folder: Path, text: str) -> str:
    file = folder / "hotline.yaml"
    file.write_text(f"notices:\n  {text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    return str(caught.value)


def test_the_commented_sample_is_valid_once_it_is_uncommented(tmp_path: Path) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    section = text[text.index("# notices:") :]
    (tmp_path / "hotline.yaml").write_text(re.sub("(?m)^# ", "", section), encoding="utf-8")
    notices = load(tmp_path / "hotline.yaml").notices
    assert [webhook.name for webhook in notices.webhooks] == ["supervision_board"]
    assert notices.mail is not None
    assert notices.mail.address == ("mail.example.org", 587)
    assert notices.city_platform is not None
    assert notices.city_platform.secret_file == tmp_path / "city.secret"
    assert notices.city_status is not None
    assert notices.city_status.host == "127.0.0.1"


def test_without_the_section_nobody_is_told() -> None:
    notices = load(SAMPLE).notices
    assert (notices.webhooks, notices.mail, notices.city_platform, notices.city_status) == ((), None, None, None)
    assert NoticeSettings() == notices


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("webhooks: [{name: board, url: 'http://b.example/x', secret_env: S}]", "plain http"),
        ("webhooks: [{name: board, url: 'https://u:p@b.example/x', secret_env: S}]", "carries a password"),
        ("webhooks: [{name: board, url: 'ftp://b.example/x', secret_env: S}]", "starts with https"),
        ("webhooks: [{name: board, url: 'https://b.example/x'}]", "secret_env or secret_file is missing"),
        ("webhooks: [{name: board, url: 'https://b.example/x', secret: abc}]", "never stands in this file"),
        (HOOK + ", events: [order_lost]}]", "order_opened"),
        (HOOK + ", phone_numbers: some}]", "masked"),
        (HOOK + "}, {name: board, url: 'https://c.example/', secret_env: S}]", "two webhooks have the same name"),
        (HOOK + ", nmae: x}]", "unknown key"),
        ("city_status: {port: 8012}", "token_env or token_file is missing"),
        ("mail: {server: 'm.example:25', sender: 'not a mailbox'}", "sender"),
        ("mail: {server: 'm.example:25', sender: a@b.c, username: u}", "password_env"),
        ("mail: {server: 'm.example:25', sender: a@b.c, username: u, password_env: P, security: none}", "in the clear"),
    ],
)
def test_what_is_unsafe_or_misspelt_is_refused_with_its_reason(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in faults(tmp_path, text)


def test_a_receiver_on_loopback_may_speak_plain_http() -> None:
    for url in ("http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x"):
        assert HttpReceiver(url=url, secret_env="S").url == url


def test_a_secret_that_is_absent_or_short_is_said_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = HttpReceiver(url="https://b.example/x", secret_env="TEST_SECRET")
    monkeypatch.delenv("TEST_SECRET", raising=False)
    with pytest.raises(ConfigError, match="TEST_SECRET: is not set"):
        receiver.secret()
    monkeypatch.setenv("TEST_SECRET", "hunter2")
    with pytest.raises(ConfigError, match="shorter than 16 characters") as caught:
        receiver.secret()
    assert "hunter2" not in str(caught.value)
