from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from datetime import datetime, timedelta
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


class Variables(dict[str, str]):
    """Stands in for Airflow's Variables, which only a running task can reach."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default)

    def set(self, key: str, value: str, **_: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class OutletEvents(list[tuple[Any, Any]]):
    """The events of a task's assets, found by the asset, which has no hash on Airflow 3.0.6."""

    def __getitem__(self, asset: Any) -> Any:
        return next(event for each, event in self if each == asset)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    from redshift_auth_alert.tasks import lockout, record, turn

    kept = Variables()
    for module in (lockout, record, turn):
        monkeypatch.setattr(module, "Variable", kept)
    return kept


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock of what is remembered; a test moves it on by setting ``moved``."""
    from redshift_auth_alert.tasks import lockout, record, turn

    class Clock(datetime):
        moved = timedelta()

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + cls.moved

    for module in (lockout, record, turn):
        monkeypatch.setattr(module, "datetime", Clock)
    return Clock


@pytest.fixture
def check(logs: psycopg.Connection) -> Any:
    """The branch that a run on a log with these events takes, and what it pushes."""

    from redshift_auth_alert.tasks.check import check_threshold

    def check(log: Events, *, pushed: Pushed | None = None, **settings: Any) -> tuple[str, Pushed]:
        run, pushed = make_run(**settings), Pushed() if pushed is None else pushed
        found = json.loads(json.dumps(candidates(measure(logs, run, log), run)))
        return check_threshold(found, run, pushed), pushed

    return check
