"""Where the Airflow versions that MWAA runs differ: the only place that knows."""

from __future__ import annotations

try:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:  # before 3.1
    from airflow.exceptions import AirflowFailException, AirflowSkipException
    from airflow.hooks.base import BaseHook

# What PyAthena 3.17, of Airflow 3.0.6, raises for a connection that names no place for results: later ones have a type.
INCOMPLETE_CONNECTION: type[Exception] = AssertionError

__all__ = ["INCOMPLETE_CONNECTION", "AirflowFailException", "AirflowSkipException", "BaseHook", "has_tabs"]


def has_tabs(plugin: type) -> bool:
    """Return whether Airflow, whose class of plugins this is, takes pages for tabs: from 3.1."""
    return hasattr(plugin, "external_views")
