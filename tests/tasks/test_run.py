"""What Airflow's record says of the run of the interval before."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.settings.monitors import Monitor
from tests.conftest import NOON, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, failures

START, END = NOON + 30 * MINUTE, NOON + 60 * MINUTE  # holds no multiple of 240 minutes


def context(*, end: datetime = START, state: str = "success", evaluated: bool | None = True) -> dict[str, Any]:
    """The context of a scheduled run, whose predecessor's interval ended then, and in that state."""
    before = SimpleNamespace(run_id="before", data_interval_end=end, state=state)
    pulled = {("check_threshold", "evaluated", "before"): evaluated}
    ti = SimpleNamespace(
        get_previous_dagrun=lambda: before,
        xcom_pull=lambda task_ids, key, run_id: pulled.get((task_ids, key, run_id)),
        xcom_push=lambda **_: None,
    )
    dag_run = SimpleNamespace(
        run_id="scheduled__1", run_type="scheduled", logical_date=START, data_interval_start=START,
        data_interval_end=END, run_after=END, start_date=END, conf={},
    )  # fmt: skip
    return {"ti": ti, "dag_run": dag_run}


@pytest.fixture
def branch(logs: psycopg.Connection) -> Any:
    """The branch of a run in which a breach is ongoing and no reminder is due."""
    from redshift_auth_alert.tasks.operators import _plain
    from redshift_auth_alert.tasks.run import Run

    def branch(context: dict[str, Any]) -> str:
        settings = make_run(remind_every_minutes=240).settings
        run = Run(Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=settings))
        rows = measure(logs, run.evaluation(context), failures(*range(15, 45)) + HEARTBEAT)
        table = {"columns": list(rows[0]), "rows": [[_plain(value) for value in row.values()] for row in rows]}
        return run.check_threshold(run.candidates(table, context), **context)

    return branch


def test_an_ongoing_breach_is_held_back_if_the_run_before_reported_it(branch: Any) -> None:
    assert branch(context()) == "no_alert"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"state": "failed"}, id="failed"),
        pytest.param({"state": "running"}, id="has not ended yet"),
        pytest.param({"evaluated": None}, id="succeeded without reporting, as a dry run or an unseen interval does"),
        pytest.param({"end": START - timedelta(minutes=30)}, id="is of another interval than the one before"),
    ],
)
def test_an_ongoing_breach_is_reported_if_the_run_before(branch: Any, before: dict[str, Any]) -> None:
    assert branch(context(**before)) == "publish_alert"


def test_an_ongoing_breach_is_reported_if_there_is_no_run_before(branch: Any) -> None:
    first = context()
    first["ti"].get_previous_dagrun = lambda: None
    assert branch(first) == "publish_alert"
