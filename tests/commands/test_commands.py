"""Each command of the project's pages that needs no AWS, run as it stands there, in a copy of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sandbox.aws import running_cloud
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.warehouse import running_warehouse
from tests.commands.checkout import copy_checkout
from tests.docs.documents import Block, blocks


@dataclass(frozen=True)
class Reader:
    """Somebody who copies commands into a shell: the checkout, and what the page says to fill in."""

    checkout: Path
    airflow: Airflow
    env: dict[str, str]
    filled_in: dict[str, str]

    def run(self, block: Block) -> subprocess.CompletedProcess[str]:
        self._end_backfills()
        text = block.text
        for placeholder, value in self.filled_in.items():
            text = text.replace(placeholder, value)
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.checkout, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def _end_backfills(self) -> None:
        """End those of an earlier block, as a DAG has one at a time."""
        for backfill in self.airflow.api("GET", f"backfills?dag_id={DAG_ID}")["backfills"]:
            if not backfill["completed_at"]:
                self.airflow.api("PUT", f"backfills/{backfill['id']}/cancel")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    monitors = {"default.yaml": monitor_file(start_date=NEVER)}
    with running_cloud() as cloud, running_warehouse() as warehouse:
        folder = tmp_path_factory.mktemp("airflow")
        with running_airflow(folder, warehouse, cloud, monitors, scheduler=False) as airflow:
            airflow.unpause()
            token = requests.get(f"{airflow.url}/auth/token", timeout=10).json()["access_token"]
            commands = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
            env = {**airflow.env, "PATH": commands, "AIRFLOW_URL": airflow.url, "TOKEN": token}
            here = f"auth_monitor:auth_monitor@127.0.0.1:{warehouse.port}/dev?__extra__=%7B%22ssl%22%3A+false%7D"
            yield Reader(checkout, airflow, env, {"auth_monitor:PASSWORD@HOST:5439/dev": here, "curl -X": "curl -f -X"})


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_the_commands_do_what_they_say(reader: Reader, block: Block) -> None:
    done = reader.run(block)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_such_commands() -> None:
    assert any(f"airflow dags trigger {DAG_ID}" in block.text for block in blocks("sh"))
