"""Where the folder ``include/`` is."""

from __future__ import annotations

from pathlib import Path


def include_folder(dag_file: str) -> Path:
    """Return ``include/`` for a file of ``dags/``: inside that folder on MWAA, beside it in a checkout."""
    dags = Path(dag_file).resolve().parent
    inside = dags / "include"
    return inside if inside.is_dir() else dags.parent / "include"
