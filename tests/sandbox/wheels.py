"""Tiny packages, for indexes that lie on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import ZipFile, ZipInfo


def make_wheel(folder: Path, name: str, *, command: str = "") -> str:
    """Put version 1.0 of a package into ``folder``; return its line for a lock.

    ``command`` is the text of a shell script that the package installs under its own name.
    """
    module = name.replace("-", "_")
    about = f"{module}-1.0.dist-info"
    file = folder / f"{module}-1.0-py3-none-any.whl"
    with ZipFile(file, "w") as wheel:
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
        if command:
            script = ZipInfo(f"{module}-1.0.data/scripts/{name}")
            script.external_attr = 0o100755 << 16  # a file that may be run
            wheel.writestr(script, f"#!/bin/sh\n{command}\n")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
