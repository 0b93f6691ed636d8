from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from typing import Any

import psycopg
import pytest

from tests.conftest import candidates, make_run, measure
from tests.detection.events import Events

# Before anything imports Airflow, which reads its home once.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"


class Pushed(dict[str, Any]):
    """Stands in for the task instance, which is Airflow's."""

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def check(logs: psycopg.Connection) -> Any:
    """The branch that a run on a log with these events takes, and what it pushes."""

    from redshift_auth_alert.tasks.check import check_threshold

    def check(log: Events, **settings: Any) -> tuple[str, Pushed]:
        run, pushed = make_run(**settings), Pushed()
        found = json.loads(json.dumps(candidates(measure(logs, run, log), run)))
        return check_threshold(found, run, pushed), pushed

    return check
