"""A worker's process is killed, as when memory runs out, or stopped."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from sandbox.mwaa import DAG_ID, NEVER
from tests.conftest import unwrapped
from tests.faults.world import HOST, World

Killed = dict[str, Future[tuple[str, list[Any]]]]
TASKS = ("query_auth_failures", "check_threshold", "publish_alert")
METRICS = f"{DAG_ID}__unreported"


def begin(world: World) -> Killed:
    """A run for each task that is killed in its first try, and one for each that is killed in its last as well."""
    world.monitor("unreported", start_date=NEVER, metrics_namespace=METRICS)
    return {
        f"{task_id}-{which}": world.background(kill, world, f"{task_id.split('_')[0]}-{which}", task_id)
        for task_id in (*TASKS, "report_failure")
        for which in ("first", "last")
    }


def kill(world: World, environment: str, task_id: str) -> tuple[str, list[Any]]:
    """Kill the task in its first try, or in its last as well, before it has queried or published anything."""
    last, dag_id, when = environment.endswith("last"), DAG_ID, lambda: True
    overrides: dict[str, Any] = {"sns_topic_arn": world.topic(environment, "hang")}
    if task_id == "report_failure":
        overrides["conn_id"] = "not_defined"
        if last:
            dag_id, when = METRICS, lambda: world.metric("IntervalsFailed", METRICS) > 0
    with world.hanging_query(environment.replace("-", "_")) as conn_id:
        if task_id == "query_auth_failures":
            overrides["conn_id"] = conn_id
        run_id = world.trigger(environment, dag_id, **overrides)
        was_last = world.kill_worker(run_id, task_id, dag_id, when=when)
        if last:
            assert not was_last
            world.end_pause(run_id, task_id, last=True)
            assert world.kill_worker(run_id, task_id, dag_id, when=when)
    if not (last and task_id == "report_failure"):
        del world.aws.faults[environment]
    return world.outcome(run_id, environment, dag_id)


@pytest.mark.parametrize("task_id", TASKS)
def test_the_alert_comes_once_where_a_task_is_killed_in_its_first_try(
    world: World, begun: Killed, task_id: str
) -> None:
    state, mails = begun[f"{task_id}-first"].result()
    assert (state, [mail.subject[:7] for mail in mails]) == ("success", ["[ALERT]"])
    assert f"{HOST} [3 times]" in mails[0].body


@pytest.mark.parametrize("task_id", TASKS)
def test_a_task_that_is_killed_in_its_last_try_is_reported_once(world: World, begun: Killed, task_id: str) -> None:
    state, mails = begun[f"{task_id}-last"].result()
    assert (state, [mail.subject[:8] for mail in mails]) == ("failed", ["[FAILED]"])
    assert f"{task_id} ended without a reason: it was killed" in unwrapped(mails[0].body)


def test_a_failure_is_reported_once_where_its_report_is_killed_in_the_first_try(world: World, begun: Killed) -> None:
    state, mails = begun["report_failure-first"].result()
    assert (state, [mail.subject[:8] for mail in mails]) == ("failed", ["[FAILED]"])
    assert "Connection 'not_defined' is not defined" in unwrapped(mails[0].body)


def test_a_failure_whose_report_is_killed_in_the_last_try_leaves_a_failed_run_and_the_metric(
    world: World, begun: Killed
) -> None:
    state, mails = begun["report_failure-last"].result()
    assert (state, mails) == ("failed", [])
    assert world.metric("IntervalsFailed", METRICS) > 0


def test_a_query_whose_worker_is_stopped_ends_on_the_server(world: World) -> None:
    with world.hanging_query("stopped") as conn_id:
        run_id = world.trigger("stopped", conn_id=conn_id)
        world.wait_until(lambda: world.statements(conn_id) == 1, "the query to run")
        path = f"dags/{DAG_ID}/dagRuns/{run_id}"
        world.airflow.api("PATCH", path, {"state": "failed"})  # as the button in Airflow's pages does
        world.wait_until(lambda: world.statements(conn_id) == 0, "the query to end on the server")
