"""The running parts that faults are injected into, and what a test asks of them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.aws import CREDENTIALS, Cloud, Mail, running_cloud
from sandbox.aws_faults import AwsFaults, running_aws_faults
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.process import Service
from sandbox.proxy import Proxy, running_proxy
from sandbox.warehouse import DATABASE, Warehouse, running_warehouse
from tests.faults.attacker import attacking, breaches, repeats, reported, twice

HOST = "127.0.0.11"
log = logging.getLogger(__name__)


@dataclass
class World:
    """The running parts, and all the mail that has arrived.

    The warehouse and Airflow's metadata are two servers, so that one can fail alone. ``aws`` stands before AWS.
    ``begun`` holds, by module, what its ``begin`` returned.
    """

    warehouse: Warehouse
    metadata: Warehouse
    cloud: Cloud
    airflow: Airflow
    scheduler: Service
    aws: AwsFaults
    parts: contextlib.ExitStack
    begun: dict[str, Any] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    taking: threading.Lock = field(default_factory=threading.Lock)

    def monitor(self, name: str, **settings: Any) -> str:
        """Add a monitor file, wait for its DAG and let it run; return the DAG's id. Its environment is its name."""
        content = monitor_file(**{"environment": name, "threshold": 3} | settings)
        (self.airflow.folder / "dags" / "include" / "monitors" / f"{name}.yaml").write_text(content)
        self.airflow.parse()
        self.airflow.unpause(f"{DAG_ID}__{name}")
        return f"{DAG_ID}__{name}"

    def topic(self, name: str, fault: Any = None) -> str:
        """Add a topic, subscribed by the inbox, before which a fault may stand; return its ARN."""
        if fault:
            self.aws.faults[name] = fault
        return self.cloud.subscribe(name)

    def proxy(self, conn_id: str, to: Warehouse | None = None) -> Proxy:
        """Put a proxy before the warehouse, and add a connection through it."""
        proxy = self.parts.enter_context(running_proxy((to or self.warehouse).port))
        self.connect(conn_id, proxy.port)
        return proxy

    def connect(self, conn_id: str, port: int, user: str = "auth_monitor") -> None:
        """Add an Airflow connection to a warehouse."""
        connection = redshift(port, user)
        extra = json.dumps(connection.pop("extra"))
        self.airflow.api("POST", "connections", {"connection_id": conn_id, "extra": extra} | connection)

    def reader(self, conn_id: str, log: str) -> None:
        """Add an Airflow connection for which ``stl_connection_log`` is what the query ``log`` gives."""
        self.warehouse.add_reader(conn_id, log)
        self.connect(conn_id, self.warehouse.port, conn_id)

    def trigger(self, environment: str, dag_id: str = DAG_ID, **overrides: Any) -> str:
        """Trigger a run with messages that name ``environment``; return its id."""
        return self.airflow.trigger({"environment": environment} | overrides, dag_id)

    def background(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function in a thread of its own, which keeps nothing from ending."""
        future: Future[Any] = Future()

        def call() -> None:
            try:
                future.set_result(function(*arguments))
            except Exception as error:  # noqa: BLE001 -- raised where the result is asked for
                future.set_exception(error)

        threading.Thread(target=call, daemon=True).start()
        return future

    def mail(self, environment: str) -> list[Mail]:
        """All the mail of an environment so far."""
        with self.taking:
            self.mails += self.cloud.take_mail()
            return [mail for mail in self.mails if f"({environment})" in mail.subject]

    def wait_for_mail(self, environment: str) -> Mail:
        """Wait for the first mail of an environment; there must be one only."""
        self.wait_until(lambda: self.mail(environment), f"mail of {environment}")
        (mail,) = self.mail(environment)
        return mail

    def outcome(self, run_id: str, environment: str, dag_id: str = DAG_ID) -> tuple[str, list[Mail]]:
        """Wait until a run has ended; return its state and all the mail of its environment: no more can come."""
        run = self.wait_until(lambda: self._ended(run_id, dag_id), f"{run_id} to end")
        mails = self.mail(environment)
        log.info("%s: %s after %.0f s, %d mails", environment, run["state"], run["duration"], len(mails))
        return run["state"], mails

    def _ended(self, run_id: str, dag_id: str) -> dict[str, Any] | None:
        run = self.airflow.api("GET", f"dags/{dag_id}/dagRuns/{run_id}")
        return run if run["state"] in ("success", "failed") else None

    def wait_for_interval(self, dag_id: str, end: datetime) -> datetime:
        """Wait until the intervals of a schedule have been run up to ``end``; return the start of the first."""

        def starts() -> list[datetime]:
            runs = [run for run in self.airflow.runs(dag_id) if run["run_type"] == "scheduled"]
            due = [run for run in runs if datetime.fromisoformat(run["data_interval_start"]) < end]
            reached = any(datetime.fromisoformat(run["data_interval_end"]) == end for run in due)
            ended = reached and all(run["end_date"] for run in due)
            return [datetime.fromisoformat(run["data_interval_start"]) for run in due] if ended else []

        return min(self.wait_until(starts, f"the run of {dag_id} up to {end}"))

    def assert_each_breach_is_reported_once(self, name: str, dag_id: str) -> None:
        """Let a monitor of one-minute intervals end with this minute, and compare its mail with the log."""
        minute = timedelta(minutes=1)
        end = datetime.now(UTC).replace(second=0, microsecond=0) + minute
        first = self.wait_for_interval(dag_id, end)
        self.airflow.pause(dag_id)
        mails = self.mail(name)
        expected, found = breaches(self.warehouse, first, end, minute), reported(mails, first, end)
        log.info("%s: %d breaches, %d mails repeat an alert_id", name, len(expected), repeats(mails))
        assert len(expected) > 1
        assert set(found) == expected
        assert twice(found) == []

    def wait_for_failed_runs(self, dag_id: str, number: int) -> int:
        """Wait until so many runs have failed and none goes on, and let no more begin; return how many failed."""

        def failed() -> int:
            runs = self.airflow.runs(dag_id)
            ended = [run for run in runs if run["state"] == "failed"]
            return len(ended) if len(ended) >= max(number, len(runs)) else 0

        while True:
            self.wait_until(failed, f"{number} runs of {dag_id} to fail, and no other to go on")
            self.airflow.pause(dag_id)
            if found := failed():
                return found
            self.airflow.unpause(dag_id)  # a run had begun, and its tasks would wait for as long as the DAG is paused

    def task(self, run_id: str, task_id: str, dag_id: str = DAG_ID) -> dict[str, Any]:
        """What Airflow knows of a task: state, pid, try_number, max_tries, ..."""
        return self.airflow.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")

    def wait_for_state(self, run_id: str, task_id: str, state: str, number: int = 1) -> None:
        """Wait until a task is in a state in its try ``number`` or later."""

        def reached() -> bool:
            task = self.task(run_id, task_id)
            return bool(task["state"] == state and task["try_number"] >= number)

        self.wait_until(reached, f"{task_id} of {run_id} to be {state} in try {number}")

    def end_pause(self, run_id: str, task_id: str, *, last: bool = False) -> None:
        """Let a task that waits for its retry be tried now, as if an hour had passed; ``last``: for the last time."""
        with self.metadata.admin("airflow") as admin:
            admin.execute(
                "UPDATE task_instance SET end_date = end_date - interval '1 hour',"
                " try_number = CASE WHEN %s THEN max_tries ELSE try_number END"
                " WHERE run_id = %s AND task_id = %s AND state = 'up_for_retry'",
                (last, run_id, task_id),
            )

    def kill_worker(
        self, run_id: str, task_id: str, dag_id: str = DAG_ID, *, when: Callable[[], bool] = lambda: True
    ) -> bool:
        """Kill, as the kernel does when memory runs out, the process of a task once it runs and ``when()`` holds.

        Return whether that was the last try.
        """

        def running() -> dict[str, Any] | None:
            task = self.task(run_id, task_id, dag_id)
            return task if task["state"] == "running" and task["pid"] and when() else None

        task = self.airflow.wait_until(running, 600, f"{task_id} of {run_id} to run", poll=0.5)
        os.kill(task["pid"], signal.SIGKILL)
        ended = f"the killed {task_id} of {run_id} to end"
        self.wait_until(lambda: self.task(run_id, task_id, dag_id)["state"] != "running", ended)
        return bool(task["try_number"] > task["max_tries"])

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Poll until ``condition()`` holds, and return it; gently, as many tests wait beside each other."""
        return self.airflow.wait_until(condition, 900, what, poll=2)

    @contextlib.contextmanager
    def hanging_query(self, conn_id: str) -> Iterator[str]:
        """Add and yield a connection with queries that hang during the block: its log asks a table that is locked."""
        with self.warehouse.admin() as admin:
            admin.execute(f"CREATE TABLE gate_of_{conn_id} ()")
            self.reader(conn_id, f"SELECT * FROM public.stl_connection_log WHERE NOT EXISTS (TABLE gate_of_{conn_id})")
            admin.execute(f"BEGIN; LOCK TABLE gate_of_{conn_id}")
            yield conn_id
            admin.execute("ROLLBACK")

    def statements(self, user: str, warehouse: Warehouse | None = None) -> int:
        """How many statements of a user run on a warehouse."""
        with (warehouse or self.warehouse).admin() as admin:
            counted = admin.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'", (user,)
            )
            return int((counted.fetchone() or [0])[0])

    def metric(self, name: str, dag_id: str) -> float:
        """Sum of a metric of a monitor that has its DAG's id as namespace."""
        now = datetime.now(UTC)
        found = self.cloud.client("cloudwatch").get_metric_statistics(
            Namespace=dag_id,
            MetricName=name,
            Dimensions=[{"Name": "Monitor", "Value": dag_id}, {"Name": "RunType", "Value": "manual"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=86_400,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))


def redshift(port: int, user: str = "auth_monitor") -> dict[str, Any]:
    """An Airflow connection to a warehouse where each user's password is its name."""
    return {
        "conn_type": "redshift", "host": "127.0.0.1", "port": port, "login": user, "password": user,
        "schema": DATABASE, "extra": {"ssl": False},
    }  # fmt: skip


@contextlib.contextmanager
def running_world(home: Path) -> Iterator[World]:
    """Run all parts until the end of the block. HOST has failed three times, and others do each minute."""
    with contextlib.ExitStack() as parts:
        cloud = parts.enter_context(running_cloud())
        metadata, warehouse = (parts.enter_context(running_warehouse()) for _ in range(2))
        aws = parts.enter_context(running_aws_faults(int(cloud.endpoint.rsplit(":", 1)[1])))
        extra = {"region_name": CREDENTIALS["region_name"], "endpoint_url": f"http://127.0.0.1:{aws.port}"}
        credentials = {"login": "sandbox", "password": "sandbox"}
        variables = {
            "AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(redshift(warehouse.port)),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "extra": extra} | credentials),
            "AIRFLOW__CORE__PARALLELISM": "8",  # a run that hangs keeps no other from going on
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",  # a monitor that is added is parsed at once
            # Tasks of a scheduler that was killed are taken over after a minute, not after five. Sooner, a machine that
            # is busy would take a living scheduler for dead.
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        }
        monitors = {"default.yaml": monitor_file(start_date=NEVER, threshold=3)}
        running = running_airflow(home, metadata, cloud, monitors, scheduler=False, variables=variables)
        airflow = parts.enter_context(running)
        scheduler = parts.enter_context(airflow.running_scheduler())
        airflow.unpause()
        for _ in range(3):
            assert not warehouse.login(HOST, "admin", "guess")
        parts.enter_context(attacking(warehouse))
        yield World(warehouse, metadata, cloud, airflow, scheduler, aws, parts)
