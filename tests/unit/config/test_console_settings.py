"""What a site may say about the web console, and what is refused because passwords would leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import settings
from config.console import ConsoleSettings
from config.errors import ConfigError


def load(folder: Path, text: str) -> ConsoleSettings:
    file = folder / "hotline.yaml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file).console


def test_the_console_is_closed_unless_somebody_opens_it(tmp_path: Path) -> None:
    assert not load(tmp_path, "data_dir: var\n").enabled


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_without_tls_it_may_listen_on_this_machine(tmp_path: Path, address: str) -> None:
    assert not load(tmp_path, f"console: {{listen: '{address}'}}\n").is_secure


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "10.0.0.5:8080", "[::]:8080", "console.example.org:80"])
def test_without_tls_it_listens_nowhere_else(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="plain text") as refused:
        load(tmp_path, f"data_dir: var\nconsole:\n  listen: '{address}'\n")
    assert refused.value.faults[0].line == 2


@pytest.mark.parametrize("also", ["tls_certificate: a.pem\n  tls_key: a.key", "behind_proxy: [10.0.0.8]"])
def test_with_tls_or_a_proxy_it_listens_anywhere(tmp_path: Path, also: str) -> None:
    assert load(tmp_path, f"console:\n  listen: 0.0.0.0:8080\n  {also}\n").is_secure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls_certificate: a.pem", "together"),
        ("public_url: https://console.example.org/path", "without a path"),
        ("behind_proxy: [10.0.0.8]\n  public_url: http://console.example.org", "https"),
        ("session_idle_s: 3600\n  session_longest_s: 600", "longer"),
        ("behind_proxy: [somewhere]", "address or network"),
        ("listens: 127.0.0.1:80", "unknown key"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, f"console:\n  {text}\n")
