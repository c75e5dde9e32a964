"""A Chromium that is on the machine; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APT = "apt-get update && apt-get install -y --no-install-recommends chromium"


class NoChromium(Exception):
    """The message says what to do."""


def find() -> str:
    """The path of the browser: ``$CHROMIUM``, or the first on PATH. Raises NoChromium."""
    named = os.environ.get("CHROMIUM", "")
    if named and not Path(named).is_file():
        raise NoChromium(f"CHROMIUM is {named}, where there is no file")
    found = named or next(filter(None, map(shutil.which, NAMES)), "")
    if not found:
        raise NoChromium(
            f"The browser tests need a Chromium: none of {', '.join(NAMES)} is on PATH. On Debian, as root: {APT}. "
            "Or set CHROMIUM to the path of one."
        )
    return found


if __name__ == "__main__":
    try:
        print(find())
    except NoChromium as missing:
        raise SystemExit(str(missing)) from None
