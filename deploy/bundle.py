"""``python -m deploy.bundle``: write ``build/`` as an MWAA environment's bucket wants it.

The same checkout gives the same bytes: files in the order of their names, without times, packed uncompressed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.monitors import load_monitors

ROOT = Path(__file__).resolve().parents[1]
AIRFLOWS = tuple(sorted(folder.name for folder in (ROOT / "deploy" / "airflow").iterdir() if folder.is_dir()))
NEWEST = AIRFLOWS[-1]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def _plain(member: zipfile.ZipInfo) -> None:
    member.external_attr = 0o644 << 16


def write_bundle(build: Path, root: Path = ROOT, airflow: str = NEWEST) -> dict[str, Any]:
    """Write the bundle of the checkout ``root`` for an Airflow version into the folder ``build``, which is made anew.

    It holds ``dags/`` with ``include/`` inside, ``plugins.zip`` with the contents of ``plugins/``, ``requirements.txt``
    and ``manifest.json``. Returns the manifest: the versions, and SHA-256 by file. Raises SettingsError where a monitor
    is invalid or the Airflow version is not supported.
    """
    if airflow not in AIRFLOWS:
        raise SettingsError(f"Airflow {airflow} is not supported; valid: {', '.join(AIRFLOWS)}")
    _, problems = load_monitors(root / "include" / "monitors")
    if problems:
        raise SettingsError("\n".join(["nothing is bundled while a monitor is invalid:", *problems]))
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    for path in _files(root / "dags"):
        _copy(path, build / path.relative_to(root))
    for path in _files(root / "include"):
        _copy(path, build / "dags" / path.relative_to(root))
    _copy(root / "deploy" / "airflow" / airflow / "requirements.txt", build / "requirements.txt")
    plugins = root / "plugins"
    members = {path.relative_to(plugins).as_posix(): path.read_bytes() for path in _files(plugins)}
    (build / "plugins.zip").write_bytes(pack(members))
    manifest = {
        "versions": _pins(build / "requirements.txt"),
        "files": {
            path.relative_to(build).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(build)
        },
    }
    (build / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def pack(members: Mapping[str, bytes], mode: Callable[[zipfile.ZipInfo], None] = _plain) -> bytes:
    """Return a zip file of ``members``, content by name: the same bytes for the same members.

    ``mode`` sets what a member is beside its name and content: by default a file that all may read, uncompressed.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _EPOCH)
            mode(member)
            archive.writestr(member, members[name])
    return packed.getvalue()


def _pins(requirements: Path) -> dict[str, str]:
    lines = [line for line in requirements.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=__doc__)
    parser.add_argument("--airflow", default=NEWEST, help=f"one of {', '.join(AIRFLOWS)}; %(default)s by default")
    build = ROOT / "build"
    try:
        manifest = write_bundle(build, airflow=parser.parse_args(arguments).airflow)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    airflow = manifest["versions"]["apache-airflow"]
    print(f"{len(manifest['files'])} files for Airflow {airflow} are in {build}; manifest.json has their hashes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
