"""A copy of the checkout, in which a test may change files and run commands."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.conftest import ROOT

FOLDERS = ("dags", "deploy", "docs", "include", "plugins", "sandbox")
FILES = ("Makefile", "README.md", "requirements.txt", "requirements-dev.txt")


def copy_checkout(to: Path) -> Path:
    """Copy what commands need into ``to``, with this environment as its .venv; return ``to``."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, to / name)
    for name in FILES:
        shutil.copy2(ROOT / name, to)
    (to / ".venv").symlink_to(sys.prefix)
    return to
