"""Phones, the service and SIPp for tests with real calls; each module must leave nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from demo.exchange import PhoneExchange
from demo.service import Service
from demo.switchboard import Switchboard
from routing.clock import SHANGHAI
from tests.sip import processes, quiet, services
from tests.sip.house import Exchange, House
from tests.sip.sipp import Sipp, may_play_captures

TUESDAY_MORNING = datetime(2026, 3, 10, 10, 30, tzinfo=SHANGHAI)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let who listens and who works hard wait for each other."""
    with quiet.as_marked(item):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _this_run() -> Iterator[None]:
    with processes.marked_run():
        yield


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_behind(_this_run: None) -> Iterator[None]:
    """Fail the module's last test when a process, port or temporary file of the module is still there."""
    with processes.leaving_nothing():
        yield


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[PhoneExchange]:
    """Phones that leave their recordings in tmp_path."""
    with Exchange(tmp_path) as phones:
        yield phones


@pytest.fixture
def switchboard() -> Iterator[Switchboard]:
    """The trunk: connect(number, phone.sip_port) makes a number ring."""
    with Switchboard() as trunk:
        yield trunk


@pytest.fixture
def start_service(tmp_path: Path, switchboard: Switchboard) -> Iterator[Callable[..., Service]]:
    """Start services whose trunk is the switchboard: start_service(at, phone={"ring_s": 4}) returns a running one."""
    with ExitStack() as running:

        def start(at: datetime = TUESDAY_MORNING, **changes: Any) -> Service:
            folder = tmp_path / f"service{len(list(tmp_path.glob('service*')))}"
            folder.mkdir()
            return running.enter_context(services.start_service(folder, switchboard.port, at, changes))

        yield start


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """The service with the sample settings, on an ordinary Tuesday at 10:30."""
    return start_service()


@pytest.fixture(scope="module")
def open_house(
    tmp_path_factory: pytest.TempPathFactory, _nothing_is_left_behind: None
) -> Iterator[Callable[..., House]]:
    """Open houses that the tests of a module share: open_house(at, phone={"menu_enabled": False})."""
    with ExitStack() as houses:
        yield lambda *at, **changes: houses.enter_context(House(tmp_path_factory.mktemp("house"), *at, **changes))


@pytest.fixture
def sipp(tmp_path: Path) -> Sipp:
    """SIPp, or a skip that names what is missing."""
    program = shutil.which("sipp")
    if program is None:
        pytest.skip("SIPp is missing (Debian, Ubuntu: apt-get install sip-tester)")
    return Sipp(program, tmp_path)


@pytest.fixture
def sipp_with_captures(sipp: Sipp) -> Sipp:
    """SIPp where it may play packet captures, or a skip that says why not."""
    if not may_play_captures():
        pytest.skip("SIPp may not play captures here: play_pcap_audio needs root or CAP_NET_RAW")
    return sipp
