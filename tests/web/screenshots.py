"""`python -m tests.web.screenshots`: a picture of every page of every role, on two screens, into docs/images.

Pages are shown as they are at 09:41 of a busy workday, with invented people; see pictured_morning.py. `--whole` takes
pages to their end, into another folder, to be looked at. Fails when a page has no paragraph in docs/console.md.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

from PIL import Image
from selenium.webdriver.remote.webdriver import WebDriver

from tests.web.browsers import SIZES, chromium, complaints, is_too_wide, resize
from tests.web.page_tour import Page, Served, pages, pictured_console, unexpected

_ROOT = Path(__file__).resolve().parents[2]
IMAGES, DOCUMENT = _ROOT / "docs" / "images", _ROOT / "docs" / "console.md"
_COLOURS = 64
_SETTLES_S = 0.5  # scripts have filled in what they load
_LONGEST_PAGE = 3600


def file_names() -> set[str]:
    """Return how the pictures are called."""
    return {f"{page.picture}-{size}.png" for page in pages() if page.is_pictured for size in SIZES}


def missing_in_document() -> set[str]:
    """Return the pictures that the document does not show."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    return {name for name in file_names() if f"images/{name}" not in text}


class Photographer:
    """Takes the pictures."""

    def __init__(self, served: Served, browser: WebDriver, folder: Path, *, is_whole: bool, language: str) -> None:
        self._served, self._browser, self._folder = served, browser, folder
        self._is_whole, self._language = is_whole, language
        self.faults: list[str] = []

    def take_all(self, wanted: tuple[str, ...]) -> int:
        """Take every page, or those whose name has one of the words; return how many bytes they are."""
        chosen = [
            page for page in pages()
            if page.is_pictured and (not wanted or any(word in page.picture for word in wanted))
        ]  # fmt: skip
        size = 0
        for role, of_role in groupby(chosen, lambda page: page.role):
            self._served.log_in(self._browser, role)
            size += sum(self._take(page) for page in of_role)
        return size

    def _take(self, page: Page) -> int:
        self._served.open(self._browser, page, self._language)
        self._browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        written = 0
        for size in SIZES:
            resize(self._browser, size)
            self._browser.execute_script("window.scrollTo(0, 0)")  # a page with a field in focus has scrolled to it
            time.sleep(_SETTLES_S)
            if is_too_wide(self._browser):
                self.faults.append(f"{page.picture} is wider than {size}")
            path = self._folder / f"{page.picture}-{size}.png"
            written += _write_small(self._picture(size), path)
        self.faults += [f"{page.picture}: {one}" for one in unexpected(complaints(self._browser))]
        return written

    def _picture(self, size: str) -> bytes:
        if not self._is_whole:
            return self._browser.get_screenshot_as_png()
        width, _ = SIZES[size]
        height = self._browser.execute_script("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, _LONGEST_PAGE), "scale": 1}
        how = {"captureBeyondViewport": True, "clip": clip}
        taken = self._browser.execute_cdp_cmd("Page.captureScreenshot", how)
        return base64.b64decode(taken["data"])


def _write_small(png: bytes, path: Path) -> int:
    """Write a picture with few colours; return how many bytes it is."""
    shown = Image.open(io.BytesIO(png)).convert("RGB")
    shown.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


def main() -> int:
    """Return 0 when every page was taken, fits its screen, complains of nothing and is in the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.web.screenshots", description=__doc__)
    parser.add_argument("only", nargs="*", help="words of names: supervisor, unit-people, …")
    parser.add_argument("--folder", type=Path, default=IMAGES)
    parser.add_argument("--whole", action="store_true", help="to the end of the page, not of the screen")
    parser.add_argument("--lang", default="", help="en for English")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["LANGUAGE"] = "zh_CN" if options.lang != "en" else "en"  # of what the browser itself writes
    if options.folder == IMAGES and not options.only:
        for old in IMAGES.glob("*.png"):
            old.unlink()
    with (
        tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as scratch,
        pictured_console(Path(scratch) / "var") as served,
        chromium(Path(scratch)) as browser,
    ):
        photographer = Photographer(
            served, browser, options.folder, is_whole=options.whole, language=options.lang
        )
        size = photographer.take_all(tuple(options.only))
    faults = photographer.faults + [f"docs/console.md does not show {one}" for one in sorted(missing_in_document())]
    print("\n".join([*faults, f"{size / 1e6:.1f} MB in {options.folder}, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
