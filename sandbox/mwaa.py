"""The local MWAA: Airflow's scheduler, DAG processor and API server, its database in the same PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml

from sandbox.aws import Cloud
from sandbox.home import environment
from sandbox.process import Service, service
from sandbox.users import token, users_settings
from sandbox.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "redshift_auth_failure_alert"
NEVER = (datetime.now(UTC) + timedelta(days=2)).isoformat()  # the start of a monitor that runs only when triggered
SCHEDULER = ["scheduler", "--skip-serve-logs"]  # which it would serve on all addresses


def monitor_file(**settings: object) -> str:
    """Write a monitor file for the sandbox: nothing arrives late in its log, and nothing older is caught up."""
    defaults = {
        "environment": "sandbox",
        "sns_topic_arn": "{{ var.value.redshift_auth_alert_topic_arn }}",
        "settle_minutes": 0,
        "start_date": datetime.now(UTC).isoformat(),
    }
    return yaml.safe_dump(defaults | settings)


@dataclass(frozen=True)
class Airflow:
    """A running Airflow. ``folder`` holds its logs; its commands run by ``python`` in the environment ``env``.

    Its REST API is called by ``user``, or by anybody where everybody is an admin.
    """

    url: str
    folder: Path
    env: Mapping[str, str]
    python: Path
    user: str | None = None

    def as_user(self, user: str) -> Airflow:
        """Return the same Airflow for calls by another of its users."""
        return replace(self, user=user)

    def cli(self, *arguments: str) -> str:
        """Run ``airflow ARGUMENTS`` and return what it printed; raise with its output where it failed."""
        done = subprocess.run(
            [self.python, "-m", "airflow", *arguments], env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call Airflow's REST API below ``/api/v2`` and return its answer."""
        response = requests.request(
            method, f"{self.url}/api/v2/{path}", json=body, headers=token(self.url, self.user), timeout=60
        )
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return dict(response.json() or {}) if response.content else {}

    def parse(self) -> None:
        """Have the monitors' file parsed now."""
        file_token = self.api("GET", f"dags/{DAG_ID}")["file_token"]
        answer = requests.put(
            f"{self.url}/api/v2/parseDagFile/{file_token}", headers=token(self.url, self.user), timeout=60
        )
        if answer.status_code != requests.codes.conflict:  # asked for already
            answer.raise_for_status()

    def unpause(self, dag_id: str = DAG_ID, seconds: float = 180) -> None:
        """Wait until the DAG is there, then let it run."""
        self.wait_until(lambda: self._has(dag_id), seconds, f"the DAG {dag_id} to be loaded")
        self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the DAG run no further."""
        self.api("PATCH", f"dags/{dag_id}", {"is_paused": True})

    def trigger(self, conf: Mapping[str, Any], dag_id: str = DAG_ID, logical_date: datetime | None = None) -> str:
        """Trigger a manual run and return its id."""
        body = {"conf": dict(conf), "logical_date": logical_date and logical_date.isoformat()}
        return str(self.api("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str = DAG_ID) -> list[dict[str, Any]]:
        """All runs of a DAG, the oldest first."""
        return list(self._listed(f"dags/{dag_id}/dagRuns?order_by=run_after", "dag_runs"))

    def next_runs(self) -> dict[str, str]:
        """When the next scheduled run of each DAG is due, of those that are loaded, not stale, and have one."""
        dags = self._listed("dags?exclude_stale=true&order_by=dag_id", "dags")
        return {dag["dag_id"]: at for dag in dags if (at := dag["next_dagrun_run_after"])}

    def wait_for_run(self, run_id: str, dag_id: str = DAG_ID, seconds: float = 300) -> str:
        """Wait until a run has ended and return its state."""
        path = f"dags/{dag_id}/dagRuns/{run_id}"
        self.wait_until(lambda: self.api("GET", path)["state"] in ("success", "failed"), seconds, f"{run_id} to end")
        return str(self.api("GET", path)["state"])

    def task_states(self, run_id: str, dag_id: str = DAG_ID) -> dict[str, str]:
        """State of each task of a run."""
        answer = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task["state"] for task in answer["task_instances"]}

    def task_log(self, run_id: str, task_id: str, dag_id: str = DAG_ID) -> str:
        """Return what the last try of a task logged."""
        task = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
        log = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{task['try_number']}")
        return "\n".join(json.dumps(line) for line in log["content"])

    def running_scheduler(self) -> contextlib.AbstractContextManager[Service]:
        """Run a scheduler until the end of the block; as on MWAA, it is started again where it ends."""
        return self._running(*SCHEDULER)

    def wait_until(self, condition: Callable[[], Any], seconds: float, what: str, poll: float = 0.2) -> Any:
        """Poll until ``condition()`` holds, and return it; raise TimeoutError that names ``what`` and the logs."""
        deadline = time.monotonic() + seconds
        while not (held := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} seconds for {what}; logs are in {self.folder}")
            time.sleep(poll)
        return held

    def healthy(self) -> bool:
        """Whether the database, the scheduler and the DAG processor are up."""
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            answer = requests.get(f"{self.url}/api/v2/monitor/health", timeout=30)
            return answer.ok and {"healthy"} == {
                answer.json()[part]["status"] for part in ("metadatabase", "scheduler", "dag_processor")
            }
        return False

    def _listed(self, path: str, what: str) -> Iterator[dict[str, Any]]:
        """Yield all that a path with a query lists, of which Airflow gives 100 at once."""
        read, total = 0, 1
        while read < total:
            page = self.api("GET", f"{path}&limit=100&offset={read}")
            read, total = read + 100, page["total_entries"]
            yield from page[what]

    def _has(self, dag_id: str) -> bool:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"{self.url}/api/v2/dags/{dag_id}", headers=token(self.url, self.user), timeout=30).ok
        return False

    def _running(self, *command: str) -> contextlib.AbstractContextManager[Service]:
        return service([self.python, "-m", "airflow", *command], self.folder / f"{command[0]}.log", self.env)


@contextlib.contextmanager
def airflow_home(within: Path = ROOT / ".sandbox") -> Iterator[Path]:
    """Make a folder for an Airflow and remove it at the end, except after an error, as its logs say why."""
    within.mkdir(exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        home = Path(tempfile.mkdtemp(prefix="airflow-", dir=within))
        cleanup.callback(shutil.rmtree, home, ignore_errors=True)
        try:
            yield home
        except Exception:
            cleanup.pop_all()
            raise


@contextlib.contextmanager
def running_airflow(
    folder: Path,
    warehouse: Warehouse,
    cloud: Cloud,
    monitors: Mapping[str, str],
    *,
    scheduler: bool = True,
    variables: Mapping[str, str] | None = None,
    python: Path = Path(sys.executable),
    users: Mapping[str, str] | None = None,
) -> Iterator[Airflow]:
    """Run the Airflow of ``python`` in ``folder`` until the end of the block.

    ``monitors`` maps file names to contents, ``variables`` are further environment variables. ``users`` maps names to
    roles; the first one makes the calls. Without users, everybody is an admin.
    """
    env = environment(folder, warehouse, cloud, monitors) | dict(variables or {}) | users_settings(folder, users or {})
    airflow = Airflow(env["AIRFLOW__API__BASE_URL"], folder, env, python, next(iter(users or {}), None))
    airflow.cli("db", "migrate")
    with contextlib.ExitStack() as running:
        commands = [["api-server", "--workers", "1"], ["dag-processor"], *([SCHEDULER] if scheduler else [])]
        services = [running.enter_context(airflow._running(*command)) for command in commands]
        try:
            yield airflow
        finally:
            for each in services:  # all at once: each takes seconds to stop
                each.end()
