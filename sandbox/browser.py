"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

PATIENCE = 120_000  # milliseconds, for a busy machine


def find_chromium() -> str:
    """Return where Chromium is, once it is installed where it is missing and we may; raise RuntimeError where not."""
    if not shutil.which("chromium"):
        if os.geteuid() or not shutil.which("apt-get"):
            raise RuntimeError("needs chromium; on Debian: apt-get install chromium")
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            done = subprocess.run(["apt-get", "-qq", *command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"needs chromium, and apt-get {command[0]} failed: {done.stderr.strip()}")
    return shutil.which("chromium") or "chromium"


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run Chromium until the end of the block."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()
