"""What an MWAA environment's bucket holds; ``python -m deploy.bundle`` writes it to ``build/``."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import zipfile
from pathlib import Path

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.monitors import load_monitors

ROOT = Path(__file__).resolve().parents[1]


def versions_in(folder: Path) -> tuple[str, ...]:
    """Return the Airflow versions that have a folder there, the newest last."""
    names = [each.name for each in folder.iterdir() if each.is_dir()]
    return tuple(sorted(names, key=lambda name: [int(number) for number in name.split(".")]))


AIRFLOWS = versions_in(ROOT / "deploy" / "airflow")
NEWEST = AIRFLOWS[-1]


def make_bundle(root: Path = ROOT, airflow: str = NEWEST) -> dict[str, bytes]:
    """Return what the checkout ``root`` puts into a bucket, content by name: ``dags/`` and the files to install.

    Raises SettingsError where a monitor is invalid or the Airflow version is not supported.
    """
    if airflow not in AIRFLOWS:
        raise SettingsError(f"Airflow {airflow} is not supported; valid: {', '.join(AIRFLOWS)}")
    if problems := load_monitors(root / "include" / "monitors")[1]:
        raise SettingsError("\n".join(["nothing is bundled while a monitor is invalid:", *problems]))
    return _files(root / "dags", "dags/") | _files(root / "include", "dags/include/") | files_to_install(root, airflow)


def files_to_install(root: Path = ROOT, airflow: str = NEWEST) -> dict[str, bytes]:
    """Return the two files that an environment installs when it is updated: plugins.zip and requirements.txt."""
    requirements = root / "deploy" / "airflow" / airflow / "requirements.txt"
    return {"plugins.zip": pack(_files(root / "plugins")), "requirements.txt": requirements.read_bytes()}


def write_bundle(build: Path, root: Path = ROOT, airflow: str = NEWEST) -> None:
    """Write the bundle into the folder ``build``, which is emptied first. Raises as make_bundle does."""
    bundle = make_bundle(root, airflow)
    if build.exists():
        shutil.rmtree(build)
    for name, content in bundle.items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(content)


def pack(files: dict[str, bytes]) -> bytes:
    """Return a zip of ``files``, content by name, which everybody may read: the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name)  # of no time
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[name])
    return packed.getvalue()


def _files(folder: Path, prefix: str = "") -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {prefix + path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=__doc__)
    parser.add_argument("--airflow", default=NEWEST, choices=AIRFLOWS, help="%(default)s by default")
    try:
        write_bundle(ROOT / "build", airflow=parser.parse_args().airflow)
    except SettingsError as error:
        sys.exit(str(error))
    print(f"The bundle is in {ROOT / 'build'}.")
