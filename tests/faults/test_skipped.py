"""Nothing ran for longer than is caught up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.mwaa import monitor_file
from tests.conftest import unwrapped
from tests.faults.world import World

HOUR = timedelta(hours=1)


def begin(world: World) -> dict[str, Any]:
    """A monitor that last ran four hours ago, and catches up one hour."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    last = now - 5 * HOUR
    dag_id = world.monitor(
        "skipped", schedule="0 * * * *", start_date=(now + 48 * HOUR).isoformat(), max_catchup_hours=1
    )
    dates = {"from_date": last.isoformat(), "to_date": last.isoformat()}
    world.airflow.api("POST", "backfills", {"dag_id": dag_id, "max_active_runs": 1} | dates)
    for minute in range(3):
        world.warehouse.remember_failure(now - 3 * HOUR + timedelta(minutes=minute), "127.0.0.31", "admin")
    return {"dag_id": dag_id, "last_end": last + HOUR}


def test_intervals_that_are_not_caught_up_are_reported_once_from_when_to_when(
    world: World, begun: dict[str, Any]
) -> None:
    dag_id = begun["dag_id"]
    world.airflow.wait_until(lambda: any(run["end_date"] for run in world.airflow.runs(dag_id)), 900, "the backfill")
    file = world.airflow.folder / "dags" / "include" / "monitors" / "skipped.yaml"
    started = (begun["last_end"] - 24 * HOUR).isoformat()
    settings = {"environment": "skipped", "threshold": 3, "schedule": "0 * * * *", "max_catchup_hours": 1}
    file.write_text(monitor_file(**settings, start_date=started))
    # Parsed by itself, within five minutes: at once, Airflow would keep the DAG that it has serialised a moment ago.

    def scheduled() -> list[dict[str, Any]]:
        return [run for run in world.airflow.runs(dag_id) if run["run_type"] == "scheduled" and run["end_date"]]

    world.airflow.wait_until(lambda: len(scheduled()) > 1, 900, "what is skipped, and what is caught up")
    (mail,) = world.mail("skipped")
    skipped, caught_up = scheduled()[:2]
    assert (skipped["state"], caught_up["state"]) == ("failed", "success")
    until = caught_up["data_interval_start"]
    assert f"Interval     {begun['last_end']:%Y-%m-%d %H}:00:00 to {until[:10]} {until[11:19]} UTC" in mail.body
    assert "max_catchup_hours (1)" in unwrapped(mail.body)


def test_what_was_skipped_is_evaluated_by_the_run_that_the_report_asks_for(world: World, begun: dict[str, Any]) -> None:
    run_id = world.trigger(
        "skipped later", start=begun["last_end"].isoformat(), end=(begun["last_end"] + 2 * HOUR).isoformat()
    )
    state, (mail,) = world.outcome(run_id, "skipped later")
    assert (state, "127.0.0.31 [3 times]" in mail.body) == ("success", True)
