"""Names in the log that are no UTF-8, or that Redshift cut within a character."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.exceptions import AirflowException

from redshift_auth_alert.detection.candidates import read_candidates
from redshift_auth_alert.tasks.operators import RedshiftSQLOperator
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.warehouse import Warehouse
from tests.conftest import make_run, render_statement

CUT = ("ü" * 60).encode()[:49]
NAMES = [
    pytest.param("é".encode(), "é", id="not ASCII"),
    pytest.param(CUT, "ü" * 24 + "\\xc3", id="cut within a character"),
    pytest.param("\N{PILE OF POO}".encode() * 12, "\N{PILE OF POO}" * 12, id="emoji"),
    pytest.param("\N{PILE OF POO}".encode() * 12 + b"\xf0\x9f", "\N{PILE OF POO}" * 12 + "\\xf0\\x9f", id="emoji, cut"),
    pytest.param(b"\xff\xfe\x80", "\\xff\\xfe\\x80", id="no UTF-8"),
    pytest.param(b"caf\xe9", "caf\\xe9", id="Latin-1"),
    pytest.param(b"   ", "", id="blanks"),
    pytest.param(None, "", id="NULL"),
]


@pytest.fixture(scope="module")
def raw_log(warehouse: Warehouse) -> Iterator[Any]:
    """A database of bytes as text, with an empty log; ``put(name)`` makes it hold ten failures of one user name."""
    with warehouse.admin("postgres") as admin:
        admin.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    columns = {
        "stl_connection_log": "event char(50), recordtime timestamp, remotehost char(45), pid int, dbname char(50),"
        " username char(50), authmethod char(32), sslversion char(50), application_name char(250), os_version char(64),"
        " driver_version char(64)",
        "sys_connection_log": "event char(50), record_time timestamp, remote_host char(45), session_id int,"
        " database_name char(50), user_name char(50), auth_method char(32), ssl_version char(50),"
        " application_name char(250), os_version char(64), driver_version char(64)",
    }
    with warehouse.admin("bytes") as admin:
        for log, of in columns.items():
            admin.execute(f"CREATE TABLE {log} ({of}); GRANT SELECT ON {log} TO auth_monitor")

        def put(name: bytes | None) -> None:
            for log in columns:
                admin.execute(f"TRUNCATE {log}")
                admin.execute(
                    f"INSERT INTO {log} SELECT 'authentication failure', TIMESTAMP '2026-03-01 12:00:00'"
                    " + minute * INTERVAL '1 minute', '192.0.2.1', 1, 'dev', convert_from(%s, 'SQL_ASCII')"
                    " FROM generate_series(1, 10) AS minute",
                    [name],
                )

        yield put


@pytest.fixture
def execute(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Any:
    def execute(sql: str, database: str = "bytes", conn_type: str = "redshift") -> Any:
        port, extra = warehouse.port, {"ssl": False}
        if conn_type == "postgres":
            port, extra = warehouse.postgres_port, {}
        connection = {
            "conn_type": conn_type, "host": "127.0.0.1", "port": port, "login": "auth_monitor",
            "password": "auth_monitor", "schema": database, "extra": extra,
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(connection))
        return RedshiftSQLOperator(task_id="query", conn_id="redshift_default", sql=sql).execute({})

    return execute


@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
@pytest.mark.parametrize(("name", "read"), NAMES)
def test_whatever_bytes_a_name_has_it_is_an_ordinary_group(
    raw_log: Any, execute: Any, source: str, name: bytes | None, read: str
) -> None:
    raw_log(name)
    run = make_run(source=source, group_by=("user_name",))
    found = read_candidates(json.loads(json.dumps(execute(render_statement(run)))), run)
    assert [row[:3] for row in found["rows"]] == [[read, 10, 10]]


@pytest.fixture(scope="module")
def cut(warehouse: Warehouse) -> str:
    """A database in which text can be made that the server itself would refuse."""
    with warehouse.admin("postgres") as admin:
        admin.execute("CREATE DATABASE half")
    with warehouse.admin("half") as admin:
        admin.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
    return "half"


def test_a_connection_of_type_postgres_says_that_it_cannot_read_the_name_and_what_to_do(execute: Any, cut: str) -> None:
    with pytest.raises(AirflowFailException, match=r"a name that is no valid text.*make it one of type redshift"):
        execute(r"SELECT CAST('\x62c3'::bytea AS text) AS name", cut, "postgres")


@pytest.mark.parametrize(
    "words",
    [
        "Only ASCII characters are allowed in fixed length strings. Invalid char: c3 a9",
        "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: c3 (error 2)",
        'invalid byte sequence for encoding "UTF8": 0xc3',
    ],
)
@pytest.mark.parametrize("conn_type", ["redshift", "postgres"])
def test_a_warehouse_that_cannot_process_a_name_says_so_and_is_not_asked_again(
    execute: Any, words: str, conn_type: str
) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '{words}'; END $$"
    with pytest.raises(AirflowFailException, match="a name that the warehouse cannot process as text") as failed:
        execute(raising, "dev", conn_type)
    assert "source: audit_log_s3" in str(failed.value)


def test_an_answer_that_redshifts_driver_cannot_read_is_asked_for_again(
    execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redshift_connector.core.Connection.handle_COMMAND_COMPLETE", lambda *_: b"\xff".decode())
    with pytest.raises(AirflowException, match="the driver could not read what the warehouse sent") as failed:
        execute("SELECT 1", "dev")
    assert not isinstance(failed.value, AirflowFailException)
