"""hotline.yaml: defaults, paths, and every bad key named by file and line."""

from __future__ import annotations

import stat
from datetime import time
from pathlib import Path

import pytest

import config
from config.errors import ConfigError
from config.settings import Settings, create_data_dir, load

SAMPLE = Path(config.__file__).parent / "hotline.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "hotline.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(fault).replace(f"{path.parent}/", "") for fault in caught.value.faults]


def test_the_sample_is_valid_and_stays_on_loopback() -> None:
    settings = load(SAMPLE)
    assert settings.sip.host == "127.0.0.1"
    assert [trunk.address for trunk in settings.sip.trunks] == [("127.0.0.1", 5080)]
    assert all(network.is_loopback for trunk in settings.sip.trunks for network in trunk.allow)
    assert settings.hours.workday[0].start == time(9)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "# nothing\n"))
    assert settings.lines.count == 12
    assert settings.phone.ring_s == 18.0
    assert settings.redis_url is None
    assert settings.model_copy(update={"directory_file": 0}).phone == Settings().phone


def test_paths_are_relative_to_the_file_and_data_dir_to_the_working_directory(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "data_dir: var\ncalendar_dir: ../days\nprompts: {speed_wpm: 150}\n"))
    assert settings.directory_file == tmp_path / "units.yaml"
    assert settings.matters_file == tmp_path / "matters.yaml"
    assert settings.calendar_dir == tmp_path.parent / "days"
    assert settings.prompts.directory == tmp_path / "prompts"
    assert settings.data_dir == Path("var")


def test_settings_made_without_a_file_use_the_sample_directory() -> None:
    assert Settings().directory_file == SAMPLE.parent / "units.yaml"
    assert Settings().prompts.directory == SAMPLE.parent / "prompts"


def test_a_scalar_is_the_text_that_was_written(tmp_path: Path) -> None:
    text = "hours:\n  workday: [13:30-17:30]\nsip:\n  own_numbers: [012345, +8621]\n  listen: 127.0.0.1:13\n"
    settings = load(written(tmp_path, text))
    assert settings.sip.own_numbers == ("012345", "+8621")
    assert settings.sip.port == 13
    assert settings.hours.workday[0].start == time(13, 30)


def test_every_bad_key_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "node_number: 10\nlines:\n  count: many\n  colour: red\nsip:\n  listen: nowhere\n"
        "  trunks:\n    - name: a\n      host: 10.0.0.1:5060\n      allow: [10.0.0.0/40]\n"
        "hours:\n  workday:\n    - 09:00-12:00\n    - 17:30-13:30\n",
    )
    faults = faults_of(path)
    assert len(faults) == 6
    assert [fault.rpartition(" (given")[0].split(": ")[:2] for fault in faults if "given" in fault] == [
        ["hotline.yaml:1", "node_number"],
        ["hotline.yaml:3", "lines.count"],
        ["hotline.yaml:6", "sip.listen"],
        ["hotline.yaml:10", "sip.trunks[0].allow[0]"],
        ["hotline.yaml:14", "hours.workday[1]"],
    ]
    assert "hotline.yaml:4: lines.colour: unknown key" in faults


def test_a_network_that_is_none_is_one_fault_in_plain_words(tmp_path: Path) -> None:
    trunk = "sip: {trunks: [{name: a, host: 10.0.0.1:5060, allow: [everyone]}]}"
    (fault,) = faults_of(written(tmp_path, trunk))
    assert fault.startswith("hotline.yaml:1: sip.trunks[0].allow[0]: ")
    assert "10.0.0.0/8" in fault


@pytest.mark.parametrize("key", ["password", "Password", "secret", "token"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    trunk = f"sip:\n  trunks:\n    - name: a\n      host: 10.0.0.1:5060\n      allow: [10.0.0.1]\n      {key}: hunter2"
    faults = faults_of(written(tmp_path, trunk))
    assert len(faults) == 1
    assert faults[0].startswith(f"hotline.yaml:6: sip.trunks[0].{key}: a secret never stands in this file")
    assert "hunter2" not in faults[0]


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@10.0.0.7/0", "redis://app:hunter2@a:1,b:2/0", "unix:///r.sock?password=hunter2"]
)
def test_a_password_in_redis_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    faults = faults_of(written(tmp_path, f"redis_url: {url}\n"))
    assert "redis_password_env" in faults[0]
    assert "hunter2" not in faults[0]


def test_a_trunk_registers_with_a_password_from_environment_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "sip: {trunks: [{name: a, host: '10.0.0.1:5060', allow: [10.0.0.1], register: true, username: u, %s}]}"
    monkeypatch.setenv("TRUNK_PASSWORD", "from env")
    (tmp_path / "pw").write_text("from file\n")
    by_env = load(written(tmp_path, text % "password_env: TRUNK_PASSWORD")).sip.trunks[0]
    assert (by_env.registers, by_env.password()) == (True, "from env")
    by_file = load(written(tmp_path, text % "password_file: pw")).sip.trunks[0]
    assert by_file.password() == "from file"
    monkeypatch.delenv("TRUNK_PASSWORD")
    with pytest.raises(ConfigError, match="TRUNK_PASSWORD: is not set; trunk a needs it"):
        by_env.password()
    (tmp_path / "pw").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        by_file.password()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sip: {trunks: [{name: a, host: '1.2.3.4:5', allow: [1.2.3.4], register: true}]}", "register needs username"),
        ("sip: {rtp_port: 60000, rtp_port_range: 9000}", "beyond 65536"),
        ("sip: {rtp_port: 10001}", "multiple of 2"),
        ("sip: {listen: '127.0.0.1:99999'}", "host:port"),
        ("sip: {public_address: 'a b'}", "host:port"),
        ("phone: {menu_matters: [a, b, c, d, e]}", "at most 4"),
        ("phone: {menu_matters: [a, a]}", "twice"),
        ("phone: {ring_s: 60}", "longer than ring_all_s"),
        ("phone: {number_patterns: ['1[3-9']}", "regular expression"),
        ("\nredis_url: http://x", "hotline.yaml:2: redis_url: redis_url starts with redis://"),
        ("redis_url: redis://10.0.0.1:26379,10.0.0.2:26380/0", "hotline.yaml:1: redis_url: redis_url names several"),
        ("redis_url: redis://10.0.0.1:port/0", "hotline.yaml:1: redis_url: "),
        ("redis_url: redis:///0", "names no host"),
        ("redis_url: redis+sentinel://10.0.0.1:26379/mymaster", "hotline.yaml:1: redis_url: "),
        ("prompts: {language: fr}", "zh"),
        ("lines: {count: 1}\nlines: {count: 2}", "hotline.yaml:2: lines: given twice"),
        ("lines: [", "is not YAML"),
        ("- a", "dictionary"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in "\n".join(faults_of(written(tmp_path, text)))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "cannot be read" in faults_of(tmp_path / "hotline.yaml")[0]


def test_public_address_may_lack_the_port_and_ipv6_is_understood(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "sip: {public_address: 203.0.113.7, listen: '[::1]:5060'}"))
    assert settings.sip.public_address == "203.0.113.7"
    assert (settings.sip.host, settings.sip.port) == ("::1", 5060)


def test_data_dir_is_for_this_user_only(tmp_path: Path) -> None:
    folder = create_data_dir(Settings(data_dir=tmp_path / "a" / "var"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://10.0.0.7:6379/0", "redis://:p%40ss@10.0.0.7:6379/0"),
        ("rediss://hotline@10.0.0.7:6379", "rediss://hotline:p%40ss@10.0.0.7:6379"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?password=p%40ss"),
    ],
)
def test_the_password_of_redis_reaches_the_client(url: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SECRET", "p@ss")
    settings = Settings.model_validate({"redis_url": url, "redis_password_env": "REDIS_SECRET"})
    assert settings.redis_address() == address
