"""The SQL of a run as text, rendered as Airflow renders it; for what runs it outside of the query task's template."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from redshift_auth_alert.detection.evaluation import Evaluation


def statement(run: Evaluation, include: Path, file: str = "auth_failures.sql") -> str:
    """Return the measurement of ``run``, or another ``file``; ``include`` is the folder that holds ``sql/``."""
    return _environment(include).get_template(f"sql/{file}").render(run=lambda: run)


@cache
def _environment(include: Path) -> Environment:
    return Environment(loader=FileSystemLoader(include), undefined=StrictUndefined)  # noqa: S701 -- SQL, not HTML
