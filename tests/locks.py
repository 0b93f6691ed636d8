"""What the project's files install: each package at one version, and the hashes of that version's files."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = [
    ROOT / "requirements-dev.txt",
    ROOT / "benchmarks" / "elastalert-requirements.txt",
    *sorted(ROOT.glob("deploy/airflow/*/image.txt")),
    *sorted(ROOT.glob("deploy/airflow/*/tests.txt")),
]


def requirements(file: Path) -> list[str]:
    """The requirements of ``file``, each on one line with its hashes."""
    joined = file.read_text().replace(" \\\n", "")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def pins(file: Path) -> set[str]:
    """The packages of ``file`` and their versions, as ``name==1.0``."""
    return {line.split()[0] for line in requirements(file)}
