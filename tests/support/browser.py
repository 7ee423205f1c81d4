"""The browser that drives the pages: Debian's Chromium, or the one that is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What Chromium is started with: it runs as root in containers, and calls nobody by itself."""

LEFT_OUT = (
    "The browser tests were left out: there is no chromium on the PATH; install it"
    " (Debian: apt-get install chromium), or name one in TIERCACHE_CHROMIUM, to run them"
)


def path() -> str | None:
    """Return the browser's executable, or None; one that is named has to be there."""
    if not (named := os.environ.get("TIERCACHE_CHROMIUM")):
        return shutil.which("chromium")
    if not Path(named).is_file():
        raise FileNotFoundError(f"TIERCACHE_CHROMIUM: there is no {named}")
    return named
