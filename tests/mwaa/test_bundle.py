"""The bundle as MWAA lays it out, on an Airflow that has MWAA's packages and no other, set up as its users would.

The connection and the topic stand in SSM Parameter Store alone, Airflow's secrets backend.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.bundle import ROOT
from sandbox.aws import CREDENTIALS, REGION, Cloud, running_cloud
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.warehouse import Warehouse, running_warehouse
from tests.locks import pins

IN_SSM = {"conn_id": "redshift_in_ssm", "sns_topic_arn": "{{ var.value.redshift_auth_alert_topic_in_ssm }}"}
SCHEDULED = f"{DAG_ID}__scheduled"
MONITORS = {
    "default.yaml": monitor_file(start_date=NEVER, metrics_namespace="RedshiftAuthAlert", **IN_SSM),
    "scheduled.yaml": monitor_file(schedule="* * * * *", environment="scheduled", **IN_SSM),
}
CREDENTIALS_PAGE = (ROOT / "docs" / "credentials.md").read_text()
OPTIONS = json.loads(CREDENTIALS_PAGE.split("--airflow-configuration-options '")[1].split("'\n")[0])
BACKEND = {
    **{f"AIRFLOW__{name.replace('.', '__').upper()}": value for name, value in OPTIONS.items()},
    "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
    "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass
class World:
    warehouse: Warehouse
    cloud: Cloud
    airflow: Airflow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, image_python: Path) -> Iterator[World]:
    with running_cloud() as cloud, running_warehouse() as warehouse:
        redshift = {
            "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "schema": "dev",
            "login": "auth_monitor", "password": "auth_monitor", "extra": {"ssl": False},
        }  # fmt: skip
        for name, value in {
            "/airflow/connections/redshift_in_ssm": json.dumps(redshift),
            "/airflow/variables/redshift_auth_alert_topic_in_ssm": cloud.topic_arn,
        }.items():
            cloud.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
        variables = BACKEND | {"AWS_ENDPOINT_URL_SSM": cloud.endpoint}
        folder = tmp_path_factory.mktemp("airflow")
        running = running_airflow(folder, warehouse, cloud, MONITORS, variables=variables, python=image_python)
        with running as airflow:
            yield World(warehouse, cloud, airflow)


def test_the_environment_holds_exactly_what_is_locked(image_python: Path) -> None:
    script = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    listed = subprocess.run([image_python, "-c", script], capture_output=True, text=True, check=True).stdout
    installed = {plain(line) for line in listed.splitlines()}
    version = next(line.split("==")[1] for line in installed if line.startswith("apache-airflow=="))
    assert installed == pins(ROOT / "deploy" / "airflow" / version / "image.txt")


def plain(distribution: str) -> str:
    name, version = distribution.split("==")
    return f"{name.lower().replace('_', '-').replace('.', '-')}=={version}"


def test_the_dag_file_and_the_plugin_load(world: World) -> None:
    world.airflow.unpause()
    assert world.airflow.api("GET", "importErrors")["import_errors"] == []


def test_a_manual_run_alerts_on_logins_that_failed(world: World) -> None:
    world.airflow.unpause()
    for _ in range(10):
        assert not world.warehouse.login("127.0.0.2", "admin", "guess")
    run_id = world.airflow.trigger({})
    assert world.airflow.wait_for_run(run_id) == "success", world.airflow.task_log(run_id, "query_auth_failures")
    mail = world.cloud.wait_for_mail(10)[0]
    assert mail.subject == "[ALERT] (sandbox) Redshift: 1 remote host may have locked users out"
    assert "127.0.0.2 [10 times] new" in mail.body


def test_it_told_cloudwatch(world: World) -> None:
    found = world.cloud.client("cloudwatch").list_metrics(Namespace="RedshiftAuthAlert")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"IntervalsEvaluated", "Failures", "BreachingGroups"}


def test_a_wrong_override_fails_the_run_and_is_told(world: World) -> None:
    run_id = world.airflow.trigger({"treshold": 5})
    assert world.airflow.wait_for_run(run_id) == "failed"
    mail = world.cloud.wait_for_mail(30)[0]
    assert mail.subject.startswith("[FAILED] (sandbox)")
    assert "did you mean 'threshold'?" in mail.body


def test_a_backfill_evaluates_past_intervals(world: World) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = (today - timedelta(hours=1)).isoformat(), (today - timedelta(minutes=31)).isoformat()
    world.airflow.cli("backfill", "create", "--dag-id", DAG_ID, "--from-date", ends[0], "--to-date", ends[1])

    def backfilled() -> list[str]:
        runs = [run for run in world.airflow.runs() if run["run_type"] == "backfill"]
        return [run["state"] for run in runs if run["state"] in ("success", "failed")]

    world.airflow.wait_until(backfilled, 120, "the backfill's run to end")
    assert backfilled() == ["success"]


def test_a_scheduled_run_evaluates_its_minute(world: World) -> None:
    world.airflow.unpause(SCHEDULED)

    def succeeded() -> bool:
        return any(run["state"] == "success" for run in world.airflow.runs(SCHEDULED))

    world.airflow.wait_until(succeeded, 180, "a scheduled run to succeed")
