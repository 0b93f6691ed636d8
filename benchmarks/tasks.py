"""What the tasks cost: the import of the DAG file, the size of XCom and message, the check's time and memory."""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figure import Figure, medians, output_of
from benchmarks.statement import INCLUDE, NO_CLIENTS, make_run
from redshift_auth_alert.detection.candidates import Candidates, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.detection.verdict import fit_budget
from sandbox.home import lay_out
from sandbox.warehouse import running_warehouse

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 9
MONITOR = "environment: bench\nsns_topic_arn: arn:aws:sns:eu-central-1:123456789012:bench\n"
ONE = "redshift_auth_failure_alert__monitor1"
BARE_OPERATORS = """
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable
"""


class Pushed(dict[str, Any]):
    """Stands in for the task instance."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what is pushed."""
        self[key] = value


def imports() -> Iterator[Figure]:
    """CPU time of importing the DAG file, against its operators alone and in a task, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        many = {f"monitor{number}.yaml": MONITOR for number in range(100)}
        dags = [lay_out(Path(folder) / str(len(files)), files)[0] for files in ({"default.yaml": MONITOR}, many)]
        works = [BARE_OPERATORS] + [
            f"import runpy; runpy.run_path({str(each / 'redshift_auth_failure_alert.py')!r})" for each in dags
        ]
        works.append(f"import os; os.environ['_AIRFLOW_PARSING_CONTEXT_DAG_ID'] = {ONE!r}; {works[2]}")

        def seconds(code: str) -> float:
            timed = f"import time; began = time.process_time()\n{code}\nprint(time.process_time() - began)"
            return float(output_of([sys.executable, "-c", timed], env).split()[-1])

        seconds(works[1])  # writes the byte code and Airflow's configuration
        rounds = [[seconds(code) for code in works] for _ in range(ROUNDS)]
    ratio = statistics.median(one / bare for bare, one, *_ in rounds)
    further = statistics.median(hundred - one for _, one, hundred, _ in rounds) / 99
    in_a_task = statistics.median(task / one for _, one, _, task in rounds)
    yield Figure("import of the DAG file against the bare operators, one monitor", ratio, 1.15, "times")
    yield Figure("import, each further monitor of 100", 1000 * further, 10, "ms")
    yield Figure("import in a task, 100 monitors against one", in_a_task, 1.1, "times")


def a_million_hosts() -> Iterator[Figure]:
    """1,000,000 breaching hosts, user names of 50 four-byte characters: sizes, and the check's memory."""
    from redshift_auth_alert.tasks.check import check_threshold

    run = make_run(threshold=2, max_groups=100)
    tables = {}
    for hosts in (1_000, 1_000_000):
        with running_warehouse() as warehouse, warehouse.admin() as admin:
            admin.execute("CREATE SCHEMA bench; SET search_path TO bench")
            admin.execute(
                "CREATE TABLE stl_connection_log AS SELECT 'authentication failure'::char(50) AS event,"
                " timestamp '2026-03-01 12:00' + attempt * interval '1 second' AS recordtime,"
                " ('10.' || host / 65536 || '.' || host / 256 % 256 || '.' || host % 256)::char(45) AS remotehost,"
                f" repeat(chr(128512 + attempt % 7), 50)::char(50) AS username, 'dev'::char(50) AS dbname, {NO_CLIENTS}"
                f" FROM generate_series(1, {hosts}) AS host, generate_series(1, 2) AS attempt"
            )
            admin.execute("ANALYZE stl_connection_log")
            tables[hosts] = _candidates(admin, run)
    table = tables[1_000_000]
    pushed = Pushed()
    check_threshold(table, run, pushed)
    if pushed["document"]["groups"]["reported"] != 1_000_000 or ": 1,000,000 remote hosts" not in pushed["subject"]:
        raise RuntimeError("the total is not exact")
    yield Figure("XCom of the query, 1,000,000 breaching hosts", len(json.dumps(table)) / 1024, 256, "KB")
    body = len(json.dumps({"default": pushed["body"]}))
    yield Figure("message, 1,000,000 breaching hosts", body / 1024, 256, "KB")
    document = len(json.dumps(pushed["document"]))
    yield Figure("asset event, 1,000,000 breaching hosts", document / 1024, 256, "KB")
    few, many = (_peak_memory(tables[hosts]) for hosts in (1_000, 1_000_000))
    yield Figure("peak memory of the check, 1,000,000 hosts against 1,000", many / few, 1.2, "times")


def a_thousand_findings() -> Iterator[Figure]:
    """Size of the message for a SIEM that names 1,000 hosts, of which half are new, as it is sent."""
    from redshift_auth_alert.tasks.check import check_threshold

    run, pushed = make_run(message_format="ocsf"), Pushed()
    with running_warehouse() as warehouse, warehouse.admin() as admin:
        admin.execute("CREATE SCHEMA bench; SET search_path TO bench")
        admin.execute(
            "CREATE TABLE stl_connection_log AS SELECT 'authentication failure'::char(50) AS event,"
            " timestamp '2026-03-01 11:59' - host % 2 * interval '10 minutes' + attempt * interval '1 minute'"
            " AS recordtime, ('2001:db8:1234:5678:9abc:def0:1234:' || to_hex(host))::char(45) AS remotehost,"
            " ('administrator' || attempt % 5)::char(50) AS username, 'dev'::char(50) AS dbname,"
            " 0 AS pid, 'password'::char(32) AS authmethod, 'TLSv1.3'::char(50) AS sslversion,"
            " 'DBeaver 24.1.0 - Main'::char(250) AS application_name, 'Linux 6.1.0-18-amd64'::char(64) AS os_version,"
            " 'Redshift JDBC Driver 2.1.0.30'::char(64) AS driver_version"
            " FROM generate_series(1, 1000) AS host, generate_series(1, 25) AS attempt;"
            "INSERT INTO stl_connection_log VALUES ('authenticated', '2026-02-23', '', '', 'dev', 0),"
            " ('authenticated', '2026-03-01 12:31', '', '', 'dev', 0)"
        )
        check_threshold(_candidates(admin, run), run, pushed)
    named = [len(finding["evidences"]) for finding in json.loads(pushed["body"])]
    if named != [500, 500]:
        raise RuntimeError(f"not all groups are named: {named}")
    yield Figure("message for a SIEM, 1,000 breaching hosts", len(json.dumps(pushed["body"])) / 1000, 250, "KB")


def _candidates(connection: psycopg.Connection, run: Evaluation) -> Candidates:
    """Return what the query task of ``run`` returns."""
    from redshift_auth_alert.tasks.operators import fetch_table

    table = fetch_table(connection.execute(statement(run, INCLUDE)))
    return fit_budget(read_candidates(table, run), run)


def _peak_memory(table: Candidates) -> float:
    """Peak resident memory of a process that checks ``table``: the median of several, in KB."""
    code = (
        "import json, resource, sys\n"
        "from benchmarks.statement import make_run\nfrom benchmarks.tasks import Pushed\n"
        "from redshift_auth_alert.tasks.check import check_threshold\n"
        "check_threshold(json.load(open(sys.argv[1])), make_run(threshold=2, max_groups=100), Pushed())\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(table, file)
        file.flush()
        command = [sys.executable, "-c", code, file.name]
        printed = [output_of(command) for _ in range(3)]
    return statistics.median(float(each.splitlines()[-1]) for each in printed)


def check_against_the_lambda() -> Iterator[Figure]:
    """Check and message for 100,000 breaching groups against a loop over their rows, both with their log lines."""
    from redshift_auth_alert.tasks import check

    log = logging.getLogger("lambda")
    for logger in (log, check.log):
        logger.handlers, logger.propagate = [logging.StreamHandler(Path(os.devnull).open("w"))], False  # noqa: SIM115
        logger.setLevel(logging.INFO)
    run = make_run()
    rows = [(f"10.{host // 65536}.{host // 256 % 256}.{host % 256}".ljust(45), 12) for host in range(100_000)]

    def lambdas() -> str:
        message = ""
        for host, failures in rows:
            if failures >= 10:
                line = f"{host.strip()} [{failures} times]"
                log.info(line)
                message += line + "\n"
        return message

    with running_warehouse() as warehouse, warehouse.admin() as admin:
        admin.execute("CREATE SCHEMA bench; SET search_path TO bench")
        admin.execute(
            "CREATE TABLE stl_connection_log AS SELECT 'authentication failure'::char(50) AS event,"
            " timestamp '2026-03-01 12:00' + attempt * interval '1 second' AS recordtime,"
            " ('10.' || host / 65536 || '.' || host / 256 % 256 || '.' || host % 256)::char(45) AS remotehost,"
            f" 'admin'::char(50) AS username, 'dev'::char(50) AS dbname, {NO_CLIENTS}"
            " FROM generate_series(0, 99999) AS host, generate_series(1, 12) AS attempt"
        )
        table = _candidates(admin, run)
    loop, own = medians(lambdas, lambda: check.check_threshold(table, run, Pushed()))
    yield Figure("check and message against a loop over 100,000 rows", loop / own, 20, "times", at_least=True)
