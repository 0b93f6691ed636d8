"""Airflow's metadata database restarts."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tests.faults.world import World


def test_each_breach_is_reported_once_where_the_metadata_database_restarts_during_a_run(world: World) -> None:
    started = datetime.now(UTC).replace(second=0, microsecond=0)
    dag_id = world.monitor("metadata", schedule="* * * * *", start_date=started.isoformat())
    for _ in range(2):
        world.wait_until(
            lambda: any(run["state"] == "running" for run in world.airflow.runs(dag_id)), "a run that is under way"
        )
        with world.metadata.stopped():
            time.sleep(5)
        world.wait_until(world.airflow.healthy, "Airflow to be healthy again")
        time.sleep(30)
    world.assert_each_breach_is_reported_once("metadata", dag_id)
