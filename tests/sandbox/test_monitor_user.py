"""The monitor's user: what include/sql/setup/monitor_user.sql gives it is enough, and all that it has."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import redshift_connector
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlglot import exp, parse

from sandbox.warehouse import Warehouse
from tests.conftest import ROOT, make_run, render_statement

SETUP = ROOT / "include" / "sql" / "setup"
VIEWS = ["stl_connection_log", "sys_connection_log"]


@pytest.fixture
def monitor(warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        host="127.0.0.1", port=warehouse.postgres_port, dbname="dev", user="auth_monitor", password="auth_monitor"
    ) as connection:
        yield connection


@pytest.mark.parametrize("source", VIEWS)
def test_its_rights_are_enough_for_the_statement_in_a_read_only_transaction(warehouse: Warehouse, source: str) -> None:
    with redshift_connector.connect(
        host="127.0.0.1", port=warehouse.port, database="dev", user="auth_monitor", password="auth_monitor", ssl=False
    ) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("START TRANSACTION READ ONLY")
        cursor.execute(render_statement(make_run(source=source)))
        row = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    assert (row["source"], row["shows_others"]) == (source, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM server_log",
        "SELECT * FROM earlier_events",
        "SELECT * FROM pg_authid",
        "CREATE TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE USER another",
        "INSERT INTO earlier_events DEFAULT VALUES",
        "DELETE FROM earlier_events",
        "ALTER USER analyst PASSWORD 'x'",
        "GRANT SELECT ON server_log TO analyst",
        'SET ROLE "sys:monitor"',
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    ],
)
def test_it_can_do_nothing_else(monitor: psycopg.Connection, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        monitor.execute(statement)


def test_it_reads_no_relation_but_the_two_views(monitor: psycopg.Connection) -> None:
    readable = monitor.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        " AND relkind <> 'i' AND has_table_privilege(pg_class.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
    ).fetchall()
    assert sorted(name for (name,) in readable) == VIEWS


def test_it_changes_nothing_in_a_read_only_transaction(monitor: psycopg.Connection) -> None:
    monitor.read_only = True
    with pytest.raises(ReadOnlySqlTransaction):
        monitor.execute("CREATE TABLE mine (a int)")


@pytest.mark.parametrize("view", VIEWS)
def test_a_user_without_the_grant_reads_neither_view(warehouse: Warehouse, view: str) -> None:
    with (
        psycopg.connect(
            host="127.0.0.1", port=warehouse.postgres_port, dbname="dev", user="analyst", password="analyst"
        ) as analyst,
        pytest.raises(InsufficientPrivilege, match=view),
    ):
        analyst.execute(f"SELECT * FROM {view}")


def test_the_sandbox_gives_it_what_the_setup_gives() -> None:
    statements = (SETUP / "monitor_user.sql").read_text().splitlines()
    given = [line for line in statements if line.startswith(("GRANT", "ALTER USER"))]
    sandbox = (ROOT / "sandbox" / "warehouse.sql").read_text().splitlines()
    only_redshift_has_it = "ALTER USER auth_monitor SET enable_result_cache_for_session TO false;"
    assert [line for line in given if line not in sandbox] == [only_redshift_has_it]


def test_the_setup_of_the_user_is_redshifts_sql_and_grants_one_view() -> None:
    parsed = parse((SETUP / "monitor_user.sql").read_text(), read="redshift")
    grants = [statement for statement in parsed if isinstance(statement, exp.Grant)]
    assert [grant.args["securable"].sql() for grant in grants] == ["sys_connection_log"]
