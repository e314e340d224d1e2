"""How a Unix socket is named whose path is too long for its address: by its folder, held open."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST_ADDRESS = 107


def short_address(path: Path, folder: int) -> str:
    """Return `path` as a socket's address may be written: 108 bytes at most (unix(7)), however deep its folder is.

    `folder` is a descriptor of the folder; it must be open while the address is bound or connected to.
    """
    return str(path) if len(os.fsencode(path)) <= _LONGEST_ADDRESS else f"/proc/self/fd/{folder}/{path.name}"
