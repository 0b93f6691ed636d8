from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.candidates import Candidates, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.detection.verdict import fit_budget, judge
from redshift_auth_alert.settings.model import RunSettings
from sandbox.warehouse import Warehouse, running_warehouse

ROOT = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"


def make_run(
    *,
    start: datetime = NOON,
    end: datetime = NOON + timedelta(minutes=30),
    run_type: str = "scheduled",
    **settings: Any,
) -> Evaluation:
    """A run of the default monitor over [start, end), with some settings changed."""
    in_force = RunSettings.model_validate({"environment": "test", "sns_topic_arn": TOPIC} | settings)
    return Evaluation("redshift_auth_failure_alert", f"{run_type}__1", run_type, in_force, Interval(start, end))


def render_statement(run: Evaluation) -> str:
    """The statement of a run."""
    return statement(run, ROOT / "include")


def unwrapped(body: str) -> str:
    """A message's body with each sentence on one line again."""
    return re.sub(r"\n {2,}(?! )", " ", body)


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    with running_warehouse() as running:
        yield running


@pytest.fixture(scope="session")
def logs(warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    """A database with empty connection logs of Redshift's column types, read as the user ``auth_monitor``."""
    with warehouse.admin() as admin:
        admin.execute("CREATE DATABASE logs")
    with warehouse.admin("logs") as connection:
        connection.execute(
            """
            CREATE TABLE stl_connection_log (
                event char(50), recordtime timestamp, remotehost char(45), remoteport char(32), pid int,
                dbname char(50), username char(50)
            );
            CREATE TABLE sys_connection_log (
                event char(50), record_time timestamp, remote_host char(45), remote_port char(32), session_id int,
                database_name char(50), user_name char(50)
            );
            GRANT SELECT ON stl_connection_log, sys_connection_log TO auth_monitor;
            SET ROLE auth_monitor;
            """
        )
        connection.autocommit = False
        yield connection


def measure(logs: psycopg.Connection, run: Evaluation, events: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Put (event, occurred_at, host, user, database) into the run's log, and return the statement's rows."""
    names = {
        "stl_connection_log": "event, recordtime, remotehost, username, dbname",
        "sys_connection_log": "event, record_time, remote_host, user_name, database_name",
    }
    log = run.settings.source
    with logs.transaction(force_rollback=True):
        logs.execute("RESET ROLE")
        if events:
            logs.execute(
                f"INSERT INTO {log} ({names[log]}) SELECT * FROM"
                " unnest(%s::text[], %s::timestamp[], %s::text[], %s::text[], %s::text[])",
                [list(column) for column in zip(*events, strict=True)],
            )
        logs.execute("SET ROLE auth_monitor")
        cursor = logs.execute(render_statement(run))
        assert cursor.description
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def candidates(rows: list[dict[str, Any]], run: Evaluation) -> Candidates:
    """The statement's rows as the query task returns them."""
    plain = [[value.isoformat() if isinstance(value, datetime) else value for value in row.values()] for row in rows]
    return fit_budget(read_candidates({"columns": list(rows[0]), "rows": plain}, run), run)


def judged(rows: list[dict[str, Any]], run: Evaluation) -> Verdict:
    """The verdict on the statement's rows."""
    return judge(candidates(rows, run), run)
