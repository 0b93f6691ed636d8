"""``make tune`` on MWAA, where there is no shell: trigger it by hand and read the tables in the task's log.

Copy it into ``dags/``. Conf, all of it optional: {"monitor": "redshift_auth_failure_alert", "days": 7}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from redshift_auth_alert.settings.monitors import DAG_ID

INCLUDE = Path(__file__).resolve().parent / "include"  # on MWAA include/ lies inside dags/

with DAG(
    dag_id="tune_thresholds",
    schedule=None,
    params={"monitor": Param(DAG_ID, type="string"), "days": Param(7, type="integer", minimum=1, maximum=31)},
    tags=["redshift", "security"],
) as dag:

    @task
    def tune(params: Any = None) -> None:
        """Print the tables into the log."""
        from rich.console import Console

        from redshift_auth_alert.tasks.tune import tune  # pandas: seconds that only this task should pay

        tune(INCLUDE, params["monitor"], days=params["days"], until=None, console=Console(width=100))

    tune()
