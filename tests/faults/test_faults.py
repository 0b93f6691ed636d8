"""Faults injected into a real Airflow, and what the inbox holds afterwards.

The warehouse and Airflow's metadata are two servers, so that one can fail alone. Faults come from proxies before the
warehouse and before AWS. The runs of a fixture go on side by side, as each fault takes its retries' time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.aws import CREDENTIALS, Cloud, Mail, running_cloud
from sandbox.mwaa import DAG_ID, Airflow, monitor_file, running_airflow
from sandbox.proxy import Proxy, running_proxy
from sandbox.warehouse import DATABASE, Warehouse, running_warehouse
from tests.conftest import unwrapped

NEVER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
A_MOMENT_AGO = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
EVERY_MINUTE = f"{DAG_ID}__every_minute"
MONITORS = {
    "default.yaml": monitor_file(start_date=NEVER, threshold=3),
    # No reminder is due within the week.
    "every_minute.yaml": monitor_file(
        environment="minute", schedule="* * * * *", start_date=A_MOMENT_AGO, threshold=3, remind_every_minutes=10_080
    ),
}
FAULTS = ("refuse", "hang", "cut")


def redshift(port: int) -> str:
    connection = {
        "conn_type": "redshift", "host": "127.0.0.1", "port": port, "login": "auth_monitor",
        "password": "auth_monitor", "schema": DATABASE, "extra": {"ssl": False},
    }  # fmt: skip
    return json.dumps(connection)


@dataclass
class World:
    """The running parts, and all the mail that has arrived."""

    warehouse: Warehouse
    cloud: Cloud
    airflow: Airflow
    aws: Proxy
    mails: list[Mail] = field(default_factory=list)

    def trigger(self, environment: str, **overrides: Any) -> str:
        return self.airflow.trigger({"environment": environment} | overrides)

    def mail(self, environment: str) -> list[Mail]:
        self.mails += self.cloud.take_mail()
        return [mail for mail in self.mails if f"({environment})" in mail.subject]

    def wait_for_mail(self, environment: str, seconds: float = 300) -> Mail:
        self.airflow.wait_until(lambda: self.mail(environment), seconds, f"mail of {environment}")
        (mail,) = self.mail(environment)
        return mail

    def wait_for_state(self, run_id: str, task_id: str, state: str, seconds: float = 120) -> None:
        self.airflow.wait_until(
            lambda: self.airflow.task_states(run_id).get(task_id) == state, seconds, f"{task_id} to be {state}"
        )

    def kill_worker(self, run_id: str, task_id: str, tries: int) -> None:
        """Kill, as the kernel does when memory runs out, the process of each of the first ``tries`` of a task."""
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}"
        for number in range(1, tries + 1):
            os.kill(self._running_try(path, number)["pid"], signal.SIGKILL)

    def _running_try(self, path: str, number: int) -> dict[str, Any]:
        def running() -> bool:
            task = self.airflow.api("GET", path)
            return bool(task["try_number"] == number and task["state"] == "running" and task["pid"])

        self.airflow.wait_until(running, 240, f"try {number}")
        return self.airflow.api("GET", path)

    @contextlib.contextmanager
    def hanging_query(self) -> Iterator[None]:
        """Keep every query from ending: a lock on what the connection log is made of."""
        with self.warehouse.admin() as admin:
            admin.execute("BEGIN; LOCK TABLE earlier_events")
            yield
            admin.execute("ROLLBACK")

    def statements(self) -> int:
        """How many measurements run on the warehouse."""
        with self.warehouse.admin() as admin:
            counted = admin.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'auth_monitor' AND state = 'active'"
            )
            return int((counted.fetchone() or [0])[0])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.ExitStack() as parts:
        cloud = parts.enter_context(running_cloud())
        metadata, warehouse = (parts.enter_context(running_warehouse()) for _ in range(2))
        aws = parts.enter_context(running_proxy(int(cloud.endpoint.rsplit(":", 1)[1])))
        extra = {"region_name": CREDENTIALS["region_name"], "endpoint_url": f"http://127.0.0.1:{aws.port}"}
        credentials = {"login": "sandbox", "password": "sandbox"}
        variables = {
            "AIRFLOW_CONN_REDSHIFT_DEFAULT": redshift(warehouse.port),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "extra": extra} | credentials),
        }
        for fault in FAULTS:
            proxy = parts.enter_context(running_proxy(warehouse.port))
            proxy.behaviour = fault  # type: ignore[assignment]
            proxy.cut_after = 700  # past the sign-in, within the result
            variables[f"AIRFLOW_CONN_{fault.upper()}"] = redshift(proxy.port)
        home = tmp_path_factory.mktemp("airflow")
        running = running_airflow(home, metadata, cloud, MONITORS, variables=variables)
        airflow = parts.enter_context(running)
        airflow.unpause()
        for _ in range(3):
            assert not warehouse.login("127.0.0.11", "admin", "guess")
        yield World(warehouse, cloud, airflow, aws)


@pytest.fixture(scope="module")
def unreachable(world: World) -> dict[str, str]:
    """A run over each connection that a fault stands before, begun together."""
    return {fault: world.trigger(fault, conn_id=fault) for fault in FAULTS}


@pytest.fixture(scope="module")
def killed(world: World, unreachable: dict[str, str]) -> str:
    """A run whose query is killed in each of its three tries."""
    with world.hanging_query():
        run_id = world.trigger("killed")
        world.kill_worker(run_id, "query_auth_failures", tries=3)
    return run_id


def test_a_task_that_is_killed_in_its_last_try_is_reported(world: World, killed: str) -> None:
    mail = world.wait_for_mail("killed")
    assert mail.subject.startswith("[FAILED]")
    assert "query_auth_failures ended without a reason: it was killed" in unwrapped(mail.body)
    assert world.airflow.wait_for_run(killed) == "failed"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse", "the warehouse could not be reached: check host, port"),
        ("hang", "the warehouse could not be reached: check host, port"),
        ("cut", "the connection to the warehouse was cut while the result was read"),
    ],
)
def test_a_warehouse_that_cannot_be_reached_is_reported_once(
    world: World, unreachable: dict[str, str], fault: str, says: str
) -> None:
    mail = world.wait_for_mail(fault)
    assert mail.subject.startswith("[FAILED]")
    assert says in unwrapped(mail.body)
    assert world.airflow.wait_for_run(unreachable[fault]) == "failed"


@pytest.fixture(scope="module")
def without_sns(world: World, killed: str) -> dict[str, str]:
    """A run that has an alert and one that fails, while the topic cannot be reached; afterwards it can be again."""
    world.aws.behaviour = "refuse"
    runs = {"breach": world.trigger("breach"), "failure": world.trigger("failure", conn_id="not_defined")}
    world.wait_for_state(runs["breach"], "publish_alert", "up_for_retry")
    world.wait_for_state(runs["failure"], "report_failure", "up_for_retry")
    later = world.trigger("later", dry_run=True)
    runs["later"] = world.airflow.wait_for_run(later)
    runs["while away"] = str(len(world.mail("breach") + world.mail("failure")))
    world.aws.behaviour = "answer"
    return runs


def test_while_the_topic_cannot_be_reached_other_runs_are_evaluated(without_sns: dict[str, str]) -> None:
    assert (without_sns["later"], without_sns["while away"]) == ("success", "0")


def test_an_alert_is_published_once_the_topic_can_be_reached_again(world: World, without_sns: dict[str, str]) -> None:
    mail = world.wait_for_mail("breach")
    assert re.findall(r"^(\S+) \[3 times\]", mail.body, re.MULTILINE) == ["127.0.0.11"]
    assert world.airflow.wait_for_run(without_sns["breach"]) == "success"


def test_a_failure_is_reported_once_the_topic_can_be_reached_again(world: World, without_sns: dict[str, str]) -> None:
    mail = world.wait_for_mail("failure")
    assert "Connection 'not_defined' is not defined" in unwrapped(mail.body)
    assert world.airflow.wait_for_run(without_sns["failure"]) == "failed"


def test_a_query_whose_worker_is_stopped_ends_on_the_server(world: World, without_sns: dict[str, str]) -> None:
    with world.hanging_query():
        run_id = world.trigger("stopped")
        world.airflow.wait_until(lambda: world.statements() == 1, 120, "the query to run")
        path = f"dags/{DAG_ID}/dagRuns/{run_id}"
        world.airflow.api("PATCH", path, {"state": "failed"})  # as the button in Airflow's pages does
        world.airflow.wait_until(lambda: world.statements() == 0, 120, "the query to end on the server")


def test_a_topic_that_accepts_and_never_answers_gives_the_same_alert_id_each_time(
    world: World, without_sns: dict[str, str]
) -> None:
    world.aws.behaviour = "swallow"
    run_id = world.trigger("swallowed")
    world.wait_for_state(run_id, "publish_alert", "up_for_retry")
    world.aws.behaviour = "answer"
    assert world.airflow.wait_for_run(run_id, seconds=240) == "success"
    time.sleep(1)
    mails = world.mail("swallowed")
    assert len(mails) == 2
    assert len({mail.attributes["alert_id"] for mail in mails}) == 1


def test_an_ongoing_breach_is_held_back_as_the_run_before_reported_it(
    world: World, without_sns: dict[str, str]
) -> None:
    world.airflow.unpause(EVERY_MINUTE)  # and so all intervals since the attack are caught up first
    world.wait_for_mail("minute")
    if datetime.now(UTC).second > 50:
        time.sleep(11)
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    assert not world.warehouse.login("127.0.0.11", "admin", "guess")

    def ended() -> list[dict[str, Any]]:
        runs = world.airflow.runs(EVERY_MINUTE)
        return [r for r in runs if datetime.fromisoformat(r["data_interval_start"]) == minute and r["end_date"]]

    world.airflow.wait_until(ended, 300, "the run of the new failure to end")
    (run,) = ended()
    log = world.airflow.task_log(run["dag_run_id"].replace("+", "%2B"), "check_threshold", EVERY_MINUTE)
    assert run["state"] == "success"
    assert "127.0.0.11 [1 times] ongoing: held back" in log
    assert len(world.mail("minute")) == 1


def test_nothing_else_reached_the_inbox(world: World, without_sns: dict[str, str]) -> None:
    world.mails += world.cloud.take_mail()
    subjects = sorted(mail.subject.split(" Redshift")[0] for mail in world.mails)
    expected = ["[FAILED] (killed)", *(f"[FAILED] ({fault})" for fault in FAULTS), "[ALERT] (breach)"]
    assert [each for each in subjects if "stopped" not in each] == sorted([
        *expected, "[FAILED] (failure)", *["[ALERT] (swallowed)"] * 2, "[ALERT] (minute)",
    ])  # fmt: skip
