"""Finds a Chromium for the browser tests, or installs Debian's where that is allowed; prints its path.

Looked for on PATH, then among Playwright's own, then as Debian's package. Where there is none, says how to get one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def on_path() -> str | None:
    """A Chromium that a shell would find, or the one that DISTRACK_CHROMIUM names."""
    return os.environ.get("DISTRACK_CHROMIUM") or next(
        (found for name in _NAMES if (found := shutil.which(name))), None
    )


def of_playwright() -> str | None:
    """The Chromium that `playwright install chromium` put in its place."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if path and Path(path).is_file() else None


def of_debian() -> str | None:
    """Debian's package, installed now where this user may do so."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
        if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
            return None
    return on_path()


def main() -> int:
    """Prints the path, or says what to do."""
    found = on_path() or of_playwright() or of_debian()
    if found is None:
        sys.stderr.write(
            "No Chromium for the browser tests. Install one (Debian: sudo apt-get install chromium; elsewhere: "
            ".venv/bin/playwright install chromium), or name one with DISTRACK_CHROMIUM.\n"
        )
        return 2
    sys.stdout.write(found + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
