"""RedshiftSQLOperator against the local Redshift: what comes back, and what an error says."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import tenacity
from airflow.exceptions import AirflowException
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from redshift_auth_alert.tasks import sign_in
from redshift_auth_alert.tasks.operators import RedshiftSQLOperator
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.warehouse import Warehouse, free_port

ANALYST = {"login": "analyst", "password": "analyst"}


@pytest.fixture
def connection(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Define the connection ``redshift_default``, with some fields changed."""
    if hasattr(RedshiftSQLHook.get_conn, "retry"):  # since version 9.22 or so of the provider
        monkeypatch.setattr(RedshiftSQLHook.get_conn.retry, "wait", tenacity.wait_none())

    def define(conn_type: str = "redshift", **changed: Any) -> None:
        extra = {"ssl": False} if conn_type == "redshift" else {}
        port = warehouse.port if conn_type == "redshift" else warehouse.postgres_port
        fields = {
            "conn_type": conn_type, "host": "127.0.0.1", "port": port, "login": "auth_monitor",
            "password": "auth_monitor", "schema": "dev", "extra": extra,
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(fields | changed))

    return define


def execute(sql: str = "SELECT 1 AS one, TIMESTAMP '2026-03-01 12:00:00' AS noon, 'ü' AS text, NULL AS nothing") -> Any:
    operator = RedshiftSQLOperator(task_id="query", conn_id="redshift_default", sql=sql)
    return operator.execute({})


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_rows_come_back_ready_for_json(connection: Any, conn_type: str) -> None:
    connection(conn_type)
    table = execute()
    assert table == {
        "columns": ["one", "noon", "text", "nothing"],
        "rows": [[1, "2026-03-01T12:00:00", "ü", None]],
    }
    assert json.loads(json.dumps(table)) == table


def test_columns_are_named_in_small_letters_as_redshift_may_give_them_in_capitals(connection: Any) -> None:
    connection()
    assert execute('SELECT 1 AS "ONE", 2 AS "Remote_Host"')["columns"] == ["one", "remote_host"]


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
@pytest.mark.parametrize(
    ("changed", "sql", "says"),
    [
        ({"password": "wrong"}, "SELECT 1", "the warehouse refused the sign-in: check user and password"),
        ({"schema": "nowhere"}, "SELECT 1", "the database does not exist: check the connection's schema field"),
        ({}, "SELECT * FROM nothing", "the log does not exist there: Redshift Serverless has sys_connection_log only"),
        ({}, "SELECT * FROM pg_authid", "the user may not read the log: GRANT SELECT on it"),
        (ANALYST, "SELECT * FROM sys_connection_log", "the user may not read the log: GRANT SELECT on it"),
        (ANALYST, "SELECT * FROM stl_connection_log", "the user may not read the log: set source: sys_connection_log"),
        (
            ANALYST,
            "SELECT * FROM stl_connection_log",
            "Only on a provisioned cluster in one Availability Zone does GRANT",
        ),
        ({}, "SELECT * FROM nothing", "set source: sys_connection_log"),
        ({}, "SELEC 1", "the warehouse refused the statement"),
    ],
)
def test_what_a_retry_cannot_fix_fails_at_once_and_says_what_to_fix(
    connection: Any, conn_type: str, changed: dict[str, Any], sql: str, says: str
) -> None:
    connection(conn_type, **changed)
    with pytest.raises(AirflowFailException, match="'redshift_default': ") as failed:
        execute(sql)
    assert says in str(failed.value)


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_a_refused_connection_is_tried_again_and_says_what_to_check(connection: Any, conn_type: str) -> None:
    connection(conn_type, port=free_port())
    with pytest.raises(AirflowException, match="could not be reached: check host, port, security group") as failed:
        execute()
    assert not isinstance(failed.value, AirflowFailException)


def test_a_wrong_password_is_sent_once(connection: Any, warehouse: Warehouse) -> None:
    def failures() -> int:
        with warehouse.admin() as admin:
            counted = admin.execute("SELECT COUNT(*) FROM stl_connection_log WHERE event = 'authentication failure'")
            return int((counted.fetchone() or [0])[0])

    before = failures()
    connection(password="wrong")
    with pytest.raises(AirflowFailException):
        execute()
    assert failures() == before + 1


def test_a_connection_that_is_not_defined_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", raising=False)
    with pytest.raises(AirflowFailException, match="'redshift_default' is not defined: add it"):
        execute()


def test_a_user_without_rights_sees_nothing_but_its_own_logins(warehouse: Warehouse) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=warehouse.postgres_port, dbname="dev", user="newcomer", password="newcomer"
    ) as newcomer:
        users = newcomer.execute("SELECT DISTINCT username FROM stl_connection_log").fetchall()
    assert [user.strip() for (user,) in users] in ([], ["newcomer"])


def running_statements(warehouse: Warehouse) -> int:
    with warehouse.admin() as admin:
        counted = admin.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^SELECT pg_sl'"
        )
        return int((counted.fetchone() or [0])[0])


def wait_for_statements(warehouse: Warehouse, number: int) -> None:
    deadline = time.monotonic() + 20
    while running_statements(warehouse) != number:
        assert time.monotonic() < deadline, f"not {number} running statements, but {running_statements(warehouse)}"
        time.sleep(0.05)


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_a_task_that_is_killed_cancels_its_statement_on_the_server(
    connection: Any, warehouse: Warehouse, conn_type: str
) -> None:
    connection(conn_type)
    operator = RedshiftSQLOperator(task_id="query", conn_id="redshift_default", sql="SELECT pg_sleep(60)")
    with ThreadPoolExecutor() as threads:
        running = threads.submit(operator.execute, {})
        wait_for_statements(warehouse, 1)
        operator.on_kill()
        with pytest.raises(AirflowException, match="the warehouse cancelled the statement"):
            running.result(20)
    wait_for_statements(warehouse, 0)


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    connection: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    monkeypatch.setattr(sign_in, "STATEMENT_SECONDS", 1)
    connection(conn_type)
    with pytest.raises(AirflowException, match="the warehouse cancelled the statement"):
        execute("SELECT pg_sleep(60)")
    assert running_statements(warehouse) == 0


@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_a_warehouse_that_never_answers_is_given_up_as_unreachable(
    connection: Any, monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    monkeypatch.setattr(sign_in, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        connection(conn_type, port=silent.getsockname()[1])
        with pytest.raises(AirflowException, match="the warehouse could not be reached"):
            execute()
