"""Where the Redis that comes with us listens; a command that only asks it needs no more."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

# sockaddr_un.sun_path is 108 bytes, the closing NUL included (unix(7)).
MAX_SOCKET_PATH_BYTES = 107


def socket_path(folder: Path) -> Path:
    """Return where the socket lies: in `folder`, or, if that path is too long for a socket, in a short private one."""
    folder = folder.absolute()
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    name = f"hotline-{os.getuid()}-{sha256(os.fsencode(folder)).hexdigest()[:12]}"
    return Path(tempfile.gettempdir()) / name / "redis.sock"


def socket_url(folder: Path) -> str:
    """Return where a client finds the Redis whose data is in `folder`."""
    return f"unix://{quote(str(socket_path(folder)))}"
