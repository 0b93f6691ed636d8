"""Exact detection over a day against ElastAlert 2's FrequencyRule, which runs in an environment of its own."""

from __future__ import annotations

import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import sqlglot

from benchmarks.figure import Figure, output_of
from benchmarks.statement import INCLUDE, NOON, make_run
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from sandbox.warehouse import running_warehouse

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv-elastalert"
REQUIREMENTS = HERE / "elastalert-requirements.txt"
LOCK = HERE.parent / "requirements-dev.txt"
MIDNIGHT = NOON.replace(hour=0, tzinfo=None)
ROUNDS = 3


def against_elastalert() -> Iterator[Figure]:
    """400,000 failures of a day: bursts, attacks of three hours, and slow hosts that never reach the threshold.

    The rule gets them parsed and in memory; the statement runs on DuckDB, which stands in for a columnar warehouse as
    Redshift is one, and for comparison on PostgreSQL, which goes row by row.
    """
    python = _environment()
    events = _events()
    run = make_run(Interval(NOON - timedelta(hours=12), NOON + timedelta(hours=12)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.csv"
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows((at.isoformat(), host) for at, host in events)
        columnar, row_by_row, theirs = [], [], []
        with running_warehouse() as warehouse, warehouse.admin() as admin, duckdb.connect() as duck:
            admin.execute(
                "CREATE SCHEMA bench; SET search_path TO bench; CREATE TABLE stl_connection_log (event char(50),"
                " recordtime timestamp, remotehost char(45), username char(50), dbname char(50), pid int,"
                " authmethod char(32), sslversion char(50), application_name char(250), os_version char(64),"
                " driver_version char(64))"
            )
            with admin.cursor().copy(
                "COPY stl_connection_log (event, recordtime, remotehost, username, dbname) FROM STDIN"
            ) as copy:
                for at, host in events:
                    copy.write_row(("authentication failure", at, host, "admin", "dev"))
            admin.execute("ANALYZE stl_connection_log")
            duck.execute(
                "CREATE TABLE stl_connection_log AS SELECT 'authentication failure' AS event, column0 AS recordtime,"
                " column1 AS remotehost, 'admin' AS username, 'dev' AS dbname, 1 AS pid,"
                " NULL::VARCHAR AS authmethod, NULL::VARCHAR AS sslversion, NULL::VARCHAR AS application_name,"
                " NULL::VARCHAR AS os_version, NULL::VARCHAR AS driver_version FROM read_csv(?, header = false)",
                [str(file)],
            )
            ours = statement(run, INCLUDE)
            transpiled = sqlglot.transpile(ours, read="redshift", write="duckdb")[0]
            for _ in range(ROUNDS):
                began = time.perf_counter()
                found = duck.execute(transpiled).fetchdf()
                columnar.append(time.perf_counter() - began)
                began = time.perf_counter()
                rows = admin.execute(ours).fetchall()
                row_by_row.append(time.perf_counter() - began)
                answer = json.loads(output_of([python, HERE / "elastalert_rule.py", file], env={}))
                theirs.append(answer["seconds"])
    if set(answer["groups"]) != set(found["remote_host"]) or len(rows) != len(found):
        raise RuntimeError("the two do not say the same of which groups breached")
    fast, slow, rule = (statistics.median(seconds) for seconds in (columnar, row_by_row, theirs))
    what = f"events/s against ElastAlert 2's rule, on DuckDB (PostgreSQL: {rule / slow:.1f})"
    yield Figure(what, rule / fast, 20, "times", at_least=True)


def _events() -> list[tuple[datetime, str]]:
    dice = random.Random(1)
    day = 86_400
    events = []
    for host in range(5_000):  # bursts of 12 within half an hour
        start = dice.uniform(0, day - 1_800)
        events += [(start + dice.uniform(0, 1_700), f"burst-{host}") for _ in range(12)]
    for host in range(300):  # one failure a minute for three hours
        start = dice.uniform(0, day - 10_800)
        events += [(start + minute * 60, f"attack-{host}") for minute in range(180)]
    slow = [f"slow-{host}" for host in range(5_000)]
    while len(events) < 400_000:  # about one in 25 minutes each, which reaches ten in 30 minutes almost never
        events.append((dice.uniform(0, day), dice.choice(slow)))
    return sorted((MIDNIGHT + timedelta(seconds=at), host) for at, host in events)


def _environment() -> Path:
    python = VENV / "bin" / "python"
    if not (VENV / ".ready").exists() or (VENV / ".ready").stat().st_mtime < REQUIREMENTS.stat().st_mtime:
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        # Two packages have no wheel: setuptools builds them, and the project's lock has its hash.
        built = ["--no-binary", "envparse", "--no-binary", "exotel", "--build-constraints", str(LOCK)]
        uv = [sys.executable, "-m", "sandbox.uv_like_pip"]
        sync = [*uv, "pip", "sync", "-q", "--require-hashes", "--only-binary", ":all:", *built]
        subprocess.run([*sync, "--python", python, REQUIREMENTS], check=True)
        (VENV / ".ready").touch()
    return python
