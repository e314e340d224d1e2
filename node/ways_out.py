"""What an operator can do when the service does not start, for every reason that there is."""

from __future__ import annotations

import errno

from config.errors import ConfigError

_AFTER_CONFIG = "Mend what is named above; `hotline check` goes through the same list and starts nothing."
_MAY_NOT = (
    "The user of the service may not do this: look at the owner and mode of the file, or take a port above 1023."
)
_NO_ROOM = "Make room on this file system; nothing was lost."
_OF_SYSTEM = {
    errno.EADDRINUSE: (
        "Something else listens at this address: `ss -lntup` names it. Does a node run already? Stop it, or change "
        "sip.listen, console.listen, notices.city_status.port."
    ),
    errno.EADDRNOTAVAIL: "The address is none of this machine's: `ip address` lists those it has.",
    errno.EACCES: _MAY_NOT,
    errno.EPERM: _MAY_NOT,
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EROFS: "The file system can only be read: mount it to be written, or name another data_dir.",
    errno.EMFILE: "Let the service open more files: LimitNOFILE in its unit, or `ulimit -n`.",
    errno.ENOENT: "Put the file that is named back, or correct its path in hotline.yaml.",
    errno.EIO: "The disk fails: look into `dmesg`, and put data_dir onto another one.",
}
_OTHERWISE = (
    "Try `hotline check`. If it finds nothing, this is a fault of the program: keep these lines of the log and the "
    "data_dir as they are, and report it; all orders are in the journal."
)


def what_to_do(wrong: BaseException) -> str:
    """Return the way out of a start that failed; never empty."""
    if isinstance(wrong, ConfigError):
        return _AFTER_CONFIG
    if own := getattr(wrong, "what_to_do", ""):
        return str(own)
    # Twisted wraps what the system says about a socket
    cause: BaseException | None = getattr(wrong, "socketError", wrong)
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OF_SYSTEM:
            return _OF_SYSTEM[cause.errno]
        cause = cause.__cause__
    return _OTHERWISE
