"""What the DAG processor's pass over many monitors costs, with Airflow's own parts and its database."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, output_of
from benchmarks.tasks import MONITOR
from sandbox.aws import running_cloud
from sandbox.home import lay_out
from sandbox.mwaa import NEVER, monitor_file, running_airflow
from sandbox.warehouse import running_warehouse

ROUNDS = 5
WAREHOUSES = 500
PLAIN = """
from datetime import datetime, timezone
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

for number in range(200):
    every = CronDataIntervalTimetable("*/30 * * * *", timezone="UTC")
    with DAG(f"plain{number}", schedule=every, start_date=datetime(2025, 1, 1, tzinfo=timezone.utc)) as dag:
        EmptyOperator(task_id="task")
    globals()[f"plain{number}"] = dag
"""
# Import, serialisation and writing, as Airflow's DAG processor does them one after the other.
PASSES = """
import sys, time
from pathlib import Path
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
from airflow.utils.session import create_session

def seconds(file):
    began = time.process_time()
    bag = BundleDagBag(dag_folder=file, bundle_path=Path(file).parent, bundle_name="dags-folder", load_op_links=False)
    dags, errors = _serialize_dags(bag, None)
    with create_session() as session:
        update_dag_parsing_results_in_db("dags-folder", None, dags, {}, 1.0, set(), session)
    assert len(dags) == 200, bag.import_errors
    return time.process_time() - began

DagBundlesManager().sync_bundles_to_db()
for _ in range(6):
    print(*map(seconds, sys.argv[1:]))
"""


def one_pass() -> Iterator[Figure]:
    """CPU time of a pass over 200 monitors against 200 plain DAGs: cron intervals and a single operator."""
    with tempfile.TemporaryDirectory() as folder, running_warehouse() as warehouse:
        dags, plugins = lay_out(Path(folder), {f"monitor{number}.yaml": MONITOR for number in range(200)})
        (dags / "plain.py").write_text(PLAIN)
        env = os.environ | {
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
                f"postgresql+psycopg2://airflow:airflow@127.0.0.1:{warehouse.postgres_port}/airflow"
            ),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }

        def run(*arguments: str) -> str:
            return output_of([sys.executable, *arguments], env)

        run("-m", "airflow", "db", "migrate")
        files = [str(dags / name) for name in ("redshift_auth_failure_alert.py", "plain.py")]
        rounds = [list(map(float, line.split())) for line in run("-c", PASSES, *files).splitlines()[-5:]]
    ratio = statistics.median(monitors / plain for monitors, plain in rounds)
    milliseconds = 1000 * statistics.median(monitors for monitors, _ in rounds) / 200
    yield Figure(f"pass over 200 monitors ({milliseconds:.0f} ms each) against plain DAGs", ratio, 1.5, "times")


def each_warehouse() -> Iterator[Figure]:
    """CPU time of importing the DAG file, for each further warehouse of one monitor file; fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        files = [
            lay_out(Path(folder) / str(number), {"fleet.yaml": MONITOR + warehouses(number)})[0]
            / "redshift_auth_failure_alert.py"
            for number in (1, WAREHOUSES)
        ]

        def seconds(file: Path) -> float:
            code = f"import runpy, time; runpy.run_path({str(file)!r}); print(time.process_time())"
            return float(output_of([sys.executable, "-c", code], env).split()[-1])

        seconds(files[0])  # writes the byte code and Airflow's configuration
        rounds = [list(map(seconds, files)) for _ in range(ROUNDS)]
    further = statistics.median(many - one for one, many in rounds) / (WAREHOUSES - 1)
    yield Figure(f"import, each further warehouse of {WAREHOUSES} in one file", 1000 * further, 3, "ms")


def scheduled() -> Iterator[Figure]:
    """Wall time from the start of Airflow's processes until each of 500 warehouses of one file has its next run."""
    monitors = {"fleet.yaml": monitor_file(start_date=NEVER) + warehouses(WAREHOUSES)}
    with tempfile.TemporaryDirectory() as folder, running_cloud() as cloud, running_warehouse() as warehouse:
        timeouts = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300"}
        with running_airflow(Path(folder), warehouse, cloud, monitors, variables=timeouts) as airflow:
            began = time.monotonic()
            airflow.wait_until(airflow.healthy, 300, "Airflow to be up")
            airflow.wait_until(lambda: len(airflow.next_runs()) == WAREHOUSES, 900, "all DAGs to be scheduled", poll=1)
            took = time.monotonic() - began
    yield Figure(f"{WAREHOUSES} warehouses of one file serialised and scheduled", took, 60, "s")


def warehouses(number: int) -> str:
    """Return a list of warehouses for a monitor file."""
    return "warehouses:\n" + "".join(
        f"- {{name: w{each:03}, conn_id: redshift_w{each:03}}}\n" for each in range(number)
    )
