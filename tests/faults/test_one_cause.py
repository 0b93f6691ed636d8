"""Many runs fail for one reason."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from sandbox.mwaa import NEVER
from tests.conftest import unwrapped
from tests.faults.world import World

NOW = datetime.now(UTC)


def begin(world: World) -> dict[str, Future[int]]:
    """A monitor without its connection, unpaused with ten intervals to catch up; a backfill of 40 days ago."""
    start = (NOW - timedelta(minutes=10)).isoformat()
    alone = world.monitor("alone", schedule="* * * * *", start_date=start, conn_id="not_there", max_catchup_hours=1)
    aged = world.monitor("aged", schedule="0 0 * * *", start_date=NEVER)
    dates = {"from_date": (NOW - timedelta(days=40)).isoformat(), "to_date": (NOW - timedelta(days=30)).isoformat()}
    world.airflow.api("POST", "backfills", {"dag_id": aged, "max_active_runs": 4} | dates)
    return {
        "alone": world.background(world.wait_for_failed_runs, alone, 10),
        "aged": world.background(world.wait_for_failed_runs, aged, 10),
    }


def test_a_missing_connection_at_the_first_unpause_is_reported_once(
    world: World, begun: dict[str, Future[int]]
) -> None:
    assert begun["alone"].result() >= 10
    (mail,) = world.mail("alone")
    assert "Connection 'not_there' is not defined" in unwrapped(mail.body)


def test_a_backfill_of_what_the_log_no_longer_keeps_is_reported_once(
    world: World, begun: dict[str, Future[int]]
) -> None:
    assert begun["aged"].result() >= 10
    (mail,) = world.mail("aged")
    assert "the interval has aged out of STL_CONNECTION_LOG" in unwrapped(mail.body)
