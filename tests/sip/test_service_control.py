"""The operator's socket of the running service."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.scenes import MORNING
from demo.service import Service
from demo.switchboard import Switchboard
from node.control_client import ControlError, ask
from tests.sip import services


def test_a_data_folder_too_deep_for_a_socket_serves_all_the_same(tmp_path: Path, switchboard: Switchboard) -> None:
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    with services.start_service(folder, switchboard.port, MORNING) as service:
        assert service.ask("status")["calls"] == []


def test_only_the_user_of_the_service_may_ask_it(start_service: Callable[..., Service]) -> None:
    service = start_service()
    assert stat.S_IMODE((service.data_dir / "control.sock").stat().st_mode) == 0o600


def test_a_wrong_question_is_answered_and_the_service_goes_on(start_service: Callable[..., Service]) -> None:
    service = start_service()
    with pytest.raises(ControlError, match="no such question"):
        service.ask("no such question")
    assert service.ask("status")["calls"] == []


def test_without_a_service_the_question_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"no node answers at .*control\.sock"):
        ask(tmp_path / "control.sock", "status")
