"""Nothing of the service is left behind: no process, no port, no file, whether it was stopped or killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from demo.service import Service
from tests.sip.house import QUICK, TUESDAY_EVENING, House, until
from tests.sip.processes import of_this_run
from tests.sip.services import start_service

pytestmark = pytest.mark.sip


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which the service makes its temporary files; its path is short, for Unix sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def everything_of(service: Service) -> tuple[list[psutil.Process], set[int]]:
    """Return the node and all below it, and the ports they have open."""
    processes = [node := psutil.Process(service.pid), *node.children(recursive=True)]
    ports = {c.laddr.port for process in processes for c in process.net_connections("inet")}
    return processes, ports


def open_ports() -> set[int]:
    """Return the ports of all processes of this test run; a port that is free again may have gone to another run."""
    found: set[int] = set()
    for process in of_this_run():
        with suppress(psutil.Error):
            found |= {c.laddr.port for c in process.net_connections("inet") if c.laddr}
    return found


def start(folder: Path, trunk_port: int) -> Service:
    (folder / "service").mkdir(exist_ok=True)
    return start_service(folder / "service", trunk_port, TUESDAY_EVENING, {"phone": QUICK})


def test_a_stopped_service_leaves_no_process_no_port_and_no_temporary_file(temporary: Path, tmp_path: Path) -> None:
    service = start(tmp_path, 9)
    processes, ports = everything_of(service)
    told = " ".join(" ".join(process.cmdline()) for process in processes)
    assert service.sip_port in ports
    assert "redis" in told
    assert "ivr.line" in told
    assert service.stop() == 0
    assert not [process for process in processes if process.is_running()]
    assert not ports & open_ports()
    assert list(temporary.rglob("*")) == []
    assert list(service.data_dir.rglob("*.sock")) == []


def test_a_killed_node_takes_lines_redis_and_voice_with_it_within_seconds(temporary: Path, tmp_path: Path) -> None:
    service = start(tmp_path, 9)
    processes, ports = everything_of(service)
    service.kill()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    assert not ports & open_ports()
    tried = service.data_dir / "trials" / "a1b2"  # as if it was killed while a change of the directory was previewed
    tried.mkdir(parents=True)
    (tried / "units.yaml").write_text("units: {}", encoding="utf-8")
    service.start_again(TUESDAY_EVENING)  # finds its own sockets of before, and is not disturbed
    assert not tried.exists()
    assert service.stop() == 0
    assert list(temporary.rglob("*")) == []
    assert list(service.data_dir.rglob("*.sock")) == []


def test_a_node_killed_in_a_call_leaves_no_line_that_talks_on(open_house: Callable[..., House]) -> None:
    house = open_house(TUESDAY_EVENING)
    caller = house.caller()
    house.ring_up(caller)
    line = house.line_of(caller)
    processes, ports = everything_of(house.service)
    assert line.pid in {process.pid for process in processes}
    house.service.kill()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    until("all ports closed", lambda: not ports & open_ports(), 5)
    caller.kill()
