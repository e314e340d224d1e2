"""The node of one test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.site_node import Node

# a made-up notice: one day of 2026 more that is free, though chinesecalendar has it as a workday




@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)
