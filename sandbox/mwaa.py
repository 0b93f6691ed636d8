"""The local MWAA: Airflow's scheduler, DAG processor and API server, its database in the same PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy.bundle import write_bundle
from sandbox.aws import CREDENTIALS, Cloud
from sandbox.process import child
from sandbox.warehouse import DATABASE, Warehouse, free_port

ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "redshift_auth_failure_alert"


def monitor_file(**settings: object) -> str:
    """Write a monitor file for the sandbox, in whose log nothing arrives late and nothing older is caught up."""
    defaults = {
        "environment": "sandbox",
        "sns_topic_arn": "{{ var.value.redshift_auth_alert_topic_arn }}",
        "settle_minutes": 0,
        "start_date": datetime.now(UTC).isoformat(),
    }
    return yaml.safe_dump(defaults | settings)


@dataclass(frozen=True)
class Airflow:
    """A running Airflow. ``folder`` holds its logs; its commands run by ``python`` in the environment ``env``."""

    url: str
    folder: Path
    env: Mapping[str, str]
    python: Path

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
        response = requests.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=30)
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return dict(response.json()) if response.content else {}

    def unpause(self, dag_id: str = DAG_ID) -> None:
        """Wait until the DAG is there, then let it run."""
        self.wait_until(lambda: self._has(dag_id), 180, f"the DAG {dag_id} to be loaded")
        self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, conf: Mapping[str, Any], dag_id: str = DAG_ID, logical_date: datetime | None = None) -> str:
        """Trigger a manual run and return its id."""
        body = {"conf": dict(conf), "logical_date": logical_date and logical_date.isoformat()}
        return str(self.api("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str = DAG_ID) -> list[dict[str, Any]]:
        """All runs of a DAG, the oldest first."""
        return list(self.api("GET", f"dags/{dag_id}/dagRuns?limit=1000&order_by=run_after")["dag_runs"])

    def wait_for_run(self, run_id: str, dag_id: str = DAG_ID, seconds: float = 120) -> str:
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

    def running_scheduler(self) -> contextlib.AbstractContextManager[Any]:
        """Run a scheduler until the end of the block."""
        return self._running("scheduler")

    def wait_until(self, condition: Any, seconds: float, what: str) -> None:
        """Poll until ``condition()`` holds; raise TimeoutError that names ``what`` and where the logs are."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} seconds for {what}; logs are in {self.folder}")
            time.sleep(0.2)

    def _has(self, dag_id: str) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/api/v2/dags/{dag_id}", timeout=10).ok
        return False

    def _running(self, *command: str) -> contextlib.AbstractContextManager[Any]:
        return child([self.python, "-m", "airflow", *command], self.folder / f"{command[0]}.log", env=self.env)


def lay_out(folder: Path, monitors: Mapping[str, str]) -> tuple[Path, Path]:
    """Lay out the bundle as MWAA does: ``dags/`` with ``include/`` inside, ``plugins/`` elsewhere."""
    dags, plugins = folder / "dags", folder / "plugins"
    write_bundle(folder / "bundle")
    shutil.move(folder / "bundle" / "dags", dags)
    with zipfile.ZipFile(folder / "bundle" / "plugins.zip") as packed:
        packed.extractall(plugins)
    shutil.rmtree(dags / "include" / "monitors")
    (dags / "include" / "monitors").mkdir()
    for name, content in monitors.items():
        (dags / "include" / "monitors" / name).write_text(content)
    return dags, plugins


def environment(folder: Path, warehouse: Warehouse, cloud: Cloud, monitors: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of an Airflow in ``folder`` with its connections to both stand-ins."""
    dags, plugins = lay_out(folder, monitors)
    database = f"postgresql+psycopg2://airflow:airflow@127.0.0.1:{warehouse.postgres_port}/airflow"
    redshift = {
        "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "auth_monitor",
        "password": "auth_monitor", "schema": DATABASE, "extra": {"ssl": False},
    }  # fmt: skip
    aws = {
        "conn_type": "aws",
        "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"],
        "extra": {"region_name": CREDENTIALS["region_name"], "endpoint_url": cloud.endpoint},
    }
    port = free_port()
    settings = {
        "API__PORT": str(port),
        "API__HOST": "127.0.0.1",
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__PLUGINS_FOLDER": str(plugins),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__FERNET_KEY": "",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    # Without PYTHONPATH, so that the package is found where MWAA puts it or not at all.
    ours = ("AIRFLOW", "AWS_", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return (
        inherited
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(redshift),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
            "AIRFLOW_VAR_REDSHIFT_AUTH_ALERT_TOPIC_ARN": cloud.topic_arn,
            "NO_PROXY": "127.0.0.1,localhost",
        }
    )


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
) -> Iterator[Airflow]:
    """Run the Airflow of ``python`` in ``folder`` until the end of the block.

    ``monitors`` maps file names to contents, ``variables`` are further environment variables.
    """
    env = environment(folder, warehouse, cloud, monitors) | dict(variables or {})
    airflow = Airflow(env["AIRFLOW__API__BASE_URL"], folder, env, python)
    airflow.cli("db", "migrate")
    with contextlib.ExitStack() as running:
        commands = [["api-server", "--workers", "1"], ["dag-processor"], *([["scheduler"]] if scheduler else [])]
        processes = [running.enter_context(airflow._running(*command)) for command in commands]
        try:
            yield airflow
        finally:
            for process in processes:  # all at once: each takes seconds to stop
                process.send_signal(signal.SIGTERM)
