"""The measurement as SQL text, rendered as Airflow renders it; for what runs it outside of a DAG."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from redshift_auth_alert.detection.evaluation import Evaluation


def statement(run: Evaluation, include: Path) -> str:
    """Return the measurement of ``run``; ``include`` is the folder that holds ``sql/``."""
    env = Environment(loader=FileSystemLoader(include), undefined=StrictUndefined)  # noqa: S701 -- SQL, not HTML
    return env.get_template("sql/auth_failures.sql").render(evaluation=lambda: run)
