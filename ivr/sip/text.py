"""Text of the network as people may read it: UTF-8, else GB18030 (usual in China), else as far as it can be read."""

from __future__ import annotations


def readable(raw: bytes) -> str:
    """Return `raw` as one line of printable text; never raises."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(sign.isprintable() or sign.isspace() for sign in text):
            break
    else:
        text = raw.decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
