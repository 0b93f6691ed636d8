"""Where the Airflow versions that MWAA runs differ: the only place that knows."""

from __future__ import annotations

try:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # before 3.1
    from airflow.exceptions import AirflowFailException
    from airflow.hooks.base import BaseHook

__all__ = ["AirflowFailException", "BaseHook"]
