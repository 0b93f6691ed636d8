"""``python -m benchmarks [NAME ...]``: one line per figure with its target; exit status 1 where one is missed."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redshift_auth_alert.evaluation import Evaluation
from redshift_auth_alert.interval import Interval
from redshift_auth_alert.settings import RunSettings
from redshift_auth_alert.statement import statement
from sandbox.warehouse import running_warehouse

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 9
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

BARE_OPERATORS = """
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable
"""
DAG_FILE = f"import runpy; runpy.run_path({str(ROOT / 'dags' / 'redshift_auth_failure_alert.py')!r})"


@dataclass(frozen=True)
class Figure:
    """A measured value and the most that it may be."""

    what: str
    value: float
    target: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the value keeps within its target."""
        return self.value <= self.target

    def __str__(self) -> str:
        verdict = "ok" if self.met else "MISSED"
        return f"{verdict:<7}{self.what:<58}{self.value:>10,.2f} {self.unit:<5} (at most {self.target:,.2f})"


def import_ratio() -> Figure:
    """CPU time of importing the DAG file against that of its operators alone, each in a fresh process."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

        def seconds(code: str) -> float:
            timed = f"import time; began = time.process_time()\n{code}\nprint(time.process_time() - began)"
            done = subprocess.run([sys.executable, "-c", timed], env=env, capture_output=True, text=True, check=True)
            return float(done.stdout.split()[-1])

        seconds(DAG_FILE)  # writes the byte code and Airflow's configuration
        pairs = [(seconds(BARE_OPERATORS), seconds(DAG_FILE)) for _ in range(ROUNDS)]
    bare, dag_file = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Figure("import of the DAG file against the bare operators", dag_file / bare, 1.15, "times")


def xcom_size() -> Figure:
    """XCom of the query task with 100,000 breaching hosts whose user names are 50 four-byte characters."""
    from redshift_auth_alert.operators import fetch_table

    settings = RunSettings.model_validate(
        {"environment": "bench", "sns_topic_arn": "arn:aws:sns:eu-central-1:123456789012:bench", "max_groups": 100}
    )
    run = Evaluation("bench", "bench", "scheduled", settings, Interval(NOON, NOON + timedelta(minutes=30)))
    with running_warehouse() as warehouse, warehouse.admin() as admin:
        admin.execute("CREATE SCHEMA bench; SET search_path TO bench")
        admin.execute(
            "CREATE TABLE stl_connection_log AS SELECT 'authentication failure'::char(50) AS event,"
            " timestamp '2026-03-01 12:00' + attempt * interval '1 second' AS recordtime,"
            " ('10.' || host / 65536 || '.' || host / 256 % 256 || '.' || host % 256)::char(45) AS remotehost,"
            " repeat(chr(128512 + attempt % 7), 50)::char(50) AS username, 'dev'::char(50) AS dbname"
            " FROM generate_series(1, 100000) AS host, generate_series(1, 12) AS attempt"
        )
        table = fetch_table(admin.execute(statement(run, ROOT / "include")))
    if table["rows"][0][table["columns"].index("new_groups")] != 100_000:
        raise RuntimeError("the statement did not find all 100,000 hosts")
    return Figure("XCom with 100,000 breaching hosts", len(json.dumps(table)) / 1024, 256, "KB")


def demo_seconds() -> Figure:
    """Wall time of ``make demo`` on this machine as it is now."""
    return Figure("make demo", _wall_seconds("demo"), 60, "s")


def test_seconds() -> Figure:
    """Wall time of ``make test`` on this machine as it is now."""
    return Figure("make test", _wall_seconds("test"), 600, "s")


def _wall_seconds(target: str) -> float:
    began = time.monotonic()
    subprocess.run(["make", "-s", target], cwd=ROOT, check=True, capture_output=True)
    return time.monotonic() - began


FIGURES: dict[str, Callable[[], Figure]] = {
    "import": import_ratio,
    "xcom": xcom_size,
    "demo": demo_seconds,
    "test": test_seconds,
}


def main() -> int:
    """Measure the figures asked for, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(FIGURES):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    met = True
    for name, measure in FIGURES.items():
        if not names or name in names:
            figure = measure()
            print(figure, flush=True)
            met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
