from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings

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
LONG_AGO = NOON - timedelta(days=30)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"

# pytest --hypothesis-profile=thorough
settings.register_profile("quick", max_examples=300, deadline=None)
settings.register_profile("few", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("quick")


def make_run(
    *,
    start: datetime = NOON,
    end: datetime = NOON + timedelta(minutes=30),
    run_type: str = "scheduled",
    reported_since: datetime | None = None,
    **settings: Any,
) -> Evaluation:
    """A run of the default monitor over [start, end), with some settings changed."""
    in_force = RunSettings.model_validate({"environment": "test", "sns_topic_arn": TOPIC} | settings)
    return Evaluation(
        "redshift_auth_failure_alert",
        f"{run_type}__1",
        run_type,
        in_force,
        Interval(start, end),
        reported_since=reported_since,
    )


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
                dbname char(50), username char(50), authmethod char(32), sslversion char(50),
                application_name char(250), os_version char(64), driver_version char(64)
            );
            CREATE TABLE sys_connection_log (
                event char(50), record_time timestamp, remote_host char(45), remote_port char(32), session_id int,
                database_name char(50), user_name char(50), auth_method char(32), ssl_version char(50),
                application_name char(250), os_version char(64), driver_version char(64)
            );
            GRANT SELECT ON stl_connection_log, sys_connection_log TO auth_monitor;
            SET ROLE auth_monitor;
            """
        )
        connection.autocommit = False
        yield connection


def measure(
    logs: psycopg.Connection, run: Evaluation, events: list[tuple[Any, ...]], user: str = "auth_monitor"
) -> list[dict[str, Any]]:
    """Put (event, occurred_at, host, user, database) into the run's log, and return the statement's rows for ``user``.

    An event may name the process too: ``logs.info.backend_pid`` is that of this very session. Then may come with what:
    authentication method, driver, application, operating system and version of TLS.
    """
    names = {
        "stl_connection_log": "event, recordtime, remotehost, username, dbname, pid, authmethod, driver_version,"
        " application_name, os_version, sslversion",
        "sys_connection_log": "event, record_time, remote_host, user_name, database_name, session_id, auth_method,"
        " driver_version, application_name, os_version, ssl_version",
    }
    log = run.settings.source
    with logs.transaction(force_rollback=True):
        logs.execute("RESET ROLE")
        if events:
            logs.execute(
                f"INSERT INTO {log} ({names[log]}) SELECT * FROM"
                f" unnest(%s::text[], %s::timestamp[], {'%s::text[], ' * 3}%s::int[], {', '.join(['%s::text[]'] * 5)})",
                [list(column) for column in zip(*((*event, *[None] * 6)[:11] for event in events), strict=True)],
            )
        logs.execute(f'SET ROLE "{user}"')
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
