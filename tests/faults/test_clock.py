"""The log's clock is wrong, or the log writes each row twice."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.attacker import breaches, reported, twice
from tests.faults.world import HOST, World

MINUTE = timedelta(minutes=1)
COLUMNS = (
    "remotehost, remoteport, pid, dbname, username, authmethod, sslversion, application_name, os_version,"
    " driver_version"
)


def begin(world: World) -> dict[str, Any]:
    """A monitor of a log 90 seconds ahead and of one 90 seconds behind, and runs over a log with each row twice."""
    clocks = {}
    for name, sign in (("ahead", "+"), ("behind", "-")):
        shifted = f"recordtime {sign} interval '90 s' AS recordtime"
        world.reader(name, f"SELECT event, {shifted}, {COLUMNS} FROM public.stl_connection_log")
        started = datetime.now(UTC).replace(second=0, microsecond=0)
        dag_id = world.monitor(
            name, conn_id=name, schedule="* * * * *", settle_minutes=2, start_date=started.isoformat()
        )
        clocks[name] = world.background(watch, world, name, dag_id, started + 4 * MINUTE)
    world.reader("twice", "TABLE public.stl_connection_log UNION ALL TABLE public.stl_connection_log")
    for user in ("one", "other"):
        assert not world.warehouse.login("127.0.0.13", user, "guess")
    return clocks | {
        "failures": world.trigger("failures", conn_id="twice", threshold=6),
        "users": world.trigger("users", conn_id="twice", threshold=2, count="distinct user_name"),
    }


def watch(world: World, name: str, dag_id: str, end: datetime) -> tuple[Any, Any]:
    """Return the breaches in the log up to ``end``, and those reported."""
    first = world.wait_for_interval(dag_id, end)
    world.airflow.pause(dag_id)
    return breaches(world.warehouse, first, end, MINUTE, name), reported(world.mail(name), first, end)


@pytest.mark.parametrize("clock", ["ahead", "behind"])
def test_a_log_that_is_90_seconds_wrong_loses_no_breach_and_reports_none_twice_where_runs_settle_for_2_minutes(
    world: World, begun: dict[str, Future[Any]], clock: str
) -> None:
    expected, found = begun[clock].result()
    assert len(expected) > 1
    assert set(found) == expected
    assert twice(found) == []


def test_a_log_that_writes_each_row_twice_counts_each_row(world: World, begun: dict[str, str]) -> None:
    state, (mail,) = world.outcome(begun["failures"], "failures")
    assert state == "success"
    assert f"{HOST} [6 times]" in mail.body


def test_a_log_that_writes_each_row_twice_counts_each_user_once(world: World, begun: dict[str, str]) -> None:
    state, (mail,) = world.outcome(begun["users"], "users")
    assert state == "success"
    assert "127.0.0.13 [4 times]" in mail.body
    assert HOST not in mail.body
