"""1,000 monitors under a real DAG processor and scheduler: 500 files, and 500 warehouses that one more file lists.

One of the files and one of the entries are invalid. The tests go on in the order in which they stand.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.aws import Cloud, running_cloud
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.warehouse import running_warehouse

FILES = [f"m{number:03}" for number in range(499)]
WAREHOUSES = [f"w{number:03}" for number in range(499)]
FLEET = WAREHOUSES[:50]  # those that are run at once
DOWN = FLEET[7]
FIRST, LAST = f"{DAG_ID}__m000", f"{DAG_ID}__m498"
SOON = f"{DAG_ID}__fleet__soon"
# What docs/deploy.md advises for more monitors, so that a busy machine may take its time.
TIMEOUTS = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "400",
}


def of(warehouse: str) -> str:
    """The id of a warehouse's DAG."""
    return f"{DAG_ID}__fleet__{warehouse}"


def fleet() -> str:
    """499 warehouses that run in two days, one of them down, an invalid entry, and one that is due each minute."""
    entries = [f"{{name: {name}{', conn_id: down' if name == DOWN else ''}}}" for name in WAREHOUSES]
    soon = f"{{name: soon, schedule: '* * * * *', start_date: '{datetime.now(UTC).isoformat()}'}}"
    return "\n".join(["warehouses:", *(f"- {entry}" for entry in [*entries, "{name: broken, treshold: 3}", soon])])


@dataclass
class World:
    """The running parts."""

    airflow: Airflow
    cloud: Cloud


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("airflow")
    monitors = {f"{name}.yaml": f"environment: {name}" for name in FILES}
    monitors |= {"_shared.yaml": monitor_file(start_date=NEVER), "fleet.yaml": fleet(), "wrong.yaml": "treshold: 3"}
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        down = {"conn_type": "redshift", "host": "127.0.0.1", "port": nobody.getsockname()[1], "login": "auth_monitor",
                "password": "secret", "schema": "dev", "extra": {"ssl": False}}  # fmt: skip
        variables = TIMEOUTS | {"AIRFLOW_CONN_DOWN": json.dumps(down)}
        with (
            running_cloud() as cloud,
            running_warehouse() as warehouse,
            running_airflow(home, warehouse, cloud, monitors, variables=variables) as airflow,
        ):
            airflow.unpause(LAST, seconds=900)
            yield World(airflow, cloud)


@pytest.fixture(scope="module")
def due(world: World) -> dict[str, str]:
    """When each DAG runs next, as the scheduler says."""
    airflow = world.airflow
    return dict(airflow.wait_until(lambda: len(due := airflow.next_runs()) == 999 and due, 300, "999 DAGs"))


@pytest.fixture(scope="module")
def states(world: World, due: dict[str, str]) -> dict[str, str]:
    """What became of a run of each of 50 warehouses, one of which is down."""
    for name in FLEET:
        world.airflow.unpause(of(name))
    runs = {name: world.airflow.trigger({}, of(name)) for name in FLEET}
    return {name: world.airflow.wait_for_run(run_id, of(name), seconds=1_200) for name, run_id in runs.items()}


def test_all_monitors_but_the_invalid_ones_are_loaded_and_have_their_next_run(due: dict[str, str]) -> None:
    files, warehouses = {f"{DAG_ID}__{name}" for name in FILES}, {of(name) for name in [*WAREHOUSES, "soon"]}
    assert set(due) == files | warehouses


def test_the_one_import_error_names_the_invalid_file_and_the_invalid_line(world: World, due: dict[str, str]) -> None:
    (error,) = world.airflow.api("GET", "importErrors")["import_errors"]
    assert Path(error["filename"]).name == "redshift_auth_failure_monitors.py"
    assert "wrong.yaml: unknown setting 'treshold'" in error["stack_trace"]
    assert "fleet.yaml, line 501: unknown setting 'treshold'" in error["stack_trace"]
    assert error["stack_trace"].count("unknown setting") == 2


@pytest.mark.parametrize("dag_id", [FIRST, LAST])
def test_a_monitor_of_a_file_runs(world: World, due: dict[str, str], dag_id: str) -> None:
    world.airflow.unpause(dag_id)
    assert world.airflow.wait_for_run(world.airflow.trigger({}, dag_id), dag_id, seconds=600) == "success"


def test_the_scheduler_runs_a_warehouse_that_is_due(world: World, due: dict[str, str]) -> None:
    world.airflow.unpause(SOON)

    def succeeded() -> bool:
        return any((run["run_type"], run["state"]) == ("scheduled", "success") for run in world.airflow.runs(SOON))

    world.airflow.wait_until(succeeded, 600, "a scheduled run to succeed")
    world.airflow.pause(SOON)


def test_of_fifty_warehouses_one_is_down_and_the_others_are_evaluated(states: dict[str, str]) -> None:
    assert states == dict.fromkeys(FLEET, "success") | {DOWN: "failed"}


def test_the_one_that_is_down_is_reported_once_by_its_name(world: World, states: dict[str, str]) -> None:
    (mail,) = world.cloud.take_mail()
    assert mail.subject.startswith(f"[FAILED] (sandbox) {DOWN}")
    assert of(DOWN) in mail.body


def test_a_changed_file_and_a_changed_shared_setting_are_loaded_and_no_monitor_turns_stale(
    world: World, states: dict[str, str]
) -> None:
    monitors, airflow = world.airflow.folder / "dags" / "include" / "monitors", world.airflow
    (monitors / "m250.yaml").write_text("{environment: changed, threshold: 7}")
    (monitors / "_shared.yaml").write_text(monitor_file(start_date=NEVER, threshold=8))

    def alerts_on(dag_id: str) -> str:
        return str(airflow.api("GET", f"dags/{dag_id}")["description"]).split()[2]

    airflow.wait_until(lambda: alerts_on(f"{DAG_ID}__m250") == "7", 900, "the changed file to be loaded")
    airflow.wait_until(lambda: alerts_on(of("w498")) == "8", 900, "the changed shared setting to be loaded")
    assert len(airflow.next_runs()) == 999
