"""Each statement, and each file of the setup, is read by grammars that know nothing of one another.

No grammar is Redshift's or Athena's own, and each accepts something that they refuse: all of Redshift's accept FILTER.
tests/detection/test_redshift_dialect.py and test_athena_dialect.py look for such constructs by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from redshift_auth_alert.detection.statement import statement
from tests.conftest import NOON, ROOT, make_run, render_statement

SETUP, CHECK = (ROOT / "include" / "sql" / folder for folder in ("setup", "check"))
REDSHIFT = ["sqlglot redshift", "sqlfluff redshift", "node-sql-parser redshift"]
ATHENA = ["sqlglot athena", "sqlfluff athena", "dt-sql-parser trino"]
# Athena creates tables with Hive's grammar.
ATHENAS_TABLES = ["sqlglot athena", "sqlfluff athena", "dt-sql-parser hive"]
# Only sqlfluff knows CREATE USER and ALTER USER.
REDSHIFTS_USERS = ["sqlfluff redshift"]

OWN = [{"remote_host": "192.0.2.0/24", "threshold": 20}, {"remote_host": "198.51.100.7", "threshold": 30}]
# Each set of columns, each count, one threshold and several, and each other setting that the statement follows.
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "users, distinct hosts": {"group_by": ("user_name",), "count": "distinct remote_host", "cluster": "analytics"},
    "databases, distinct users": {"group_by": ("database_name",), "count": "distinct user_name", "tried": (5, 15)},
    "hosts and users, distinct databases": {
        "group_by": ("remote_host", "user_name"),
        "count": "distinct database_name",
        "thresholds": OWN,
        "window_minutes": 1440,
    },
    "databases and hosts": {"group_by": ("database_name", "remote_host"), "cluster": "analytics", "thresholds": OWN},
    "users and databases": {"group_by": ("user_name", "database_name"), "end": NOON + timedelta(seconds=0.5)},
    "all columns": {"group_by": ("remote_host", "user_name", "database_name"), "thresholds": OWN, "tried": (5, 15)},
}
SOURCES = {
    "redshift": ["stl_connection_log", "sys_connection_log"],
    "athena": ["audit_log_s3", "cloudtrail", "sys_connection_log_s3"],
}
STATEMENTS = [
    pytest.param(grammar, source, settings, id=f"{grammar}-{source}-{name}")
    for dialect, grammars in {"redshift": REDSHIFT, "athena": ATHENA}.items()
    for grammar in grammars
    for place, (name, settings) in enumerate(SETTINGS.items())
    for source in SOURCES[dialect]
    # sqlfluff takes seconds for each: it reads each source with some of them.
    if not grammar.startswith("sqlfluff") or source == SOURCES[dialect][place % len(SOURCES[dialect])]
] + [
    pytest.param(
        grammar, "sys_connection_log_s3", {"group_by": ("warehouse", "remote_host")}, id=f"{grammar}-warehouses"
    )
    for grammar in ATHENA
]
Refusal = Callable[[str, str], str | None]


def rendered(source: str, tried: tuple[int, ...] = (), **settings: Any) -> str:
    run = make_run(source=source, athena_conn_id="athena", namespace="n_sys", **settings)
    return render_statement(replace(run, tried_thresholds=tried))


def as_read_by(grammar: str, sql: str) -> str:
    """``sql`` with what is legal and the grammar lacks written in another way."""
    # Redshift's CURRENT_USER has no parentheses.
    return sql.replace("CURRENT_USER ", "CURRENT_USER() ") if grammar == "node-sql-parser redshift" else sql


@pytest.mark.parametrize(("grammar", "source", "settings"), STATEMENTS)
def test_the_statement_is_read(refusal: Refusal, grammar: str, source: str, settings: dict[str, Any]) -> None:
    assert refusal(grammar, as_read_by(grammar, rendered(source, **settings))) is None


@pytest.mark.parametrize("file", sorted(CHECK.glob("*.sql")), ids=lambda file: file.stem)
@pytest.mark.parametrize(
    ("grammar", "source"),
    [
        *((grammar, source) for grammar in REDSHIFT for source in SOURCES["redshift"]),
        *((grammar, source) for grammar in ATHENA for source in SOURCES["athena"]),
    ],
)
def test_the_checks_of_the_set_up_are_read(refusal: Refusal, grammar: str, source: str, file: Path) -> None:
    run = make_run(source=source, athena_conn_id="athena", namespace="n_sys")
    sql = statement(run, ROOT / "include", f"check/{file.name}")
    assert refusal(grammar, as_read_by(grammar, sql)) is None


@pytest.mark.parametrize(
    ("grammar", "source"),
    [*((grammar, "sys_connection_log") for grammar in REDSHIFT), *((grammar, "audit_log_s3") for grammar in ATHENA)],
)
@pytest.mark.parametrize(
    ("written", "broken"),
    [
        pytest.param("\n)\n\nSELECT", "\n\nSELECT", id="a parenthesis too few"),
        pytest.param("ORDER BY candidates.place, candidates.threshold", "ORDER BY", id="nothing to order by"),
    ],
)
def test_a_broken_statement_is_refused(refusal: Refusal, grammar: str, source: str, written: str, broken: str) -> None:
    whole = as_read_by(grammar, rendered(source))
    assert whole.count(written) == 1
    assert refusal(grammar, whole.replace(written, broken)) is not None


@pytest.mark.parametrize(
    ("grammar", "sql"),
    [
        ("sqlglot redshift", "SELECT a b c FROM t"),
        ("sqlfluff redshift", "SELECT a FROM t LATERAL VIEW b"),
        ("sqlfluff redshift", "CREATE USER a PASSWORD DISABLE CONNECTION LIMIT many"),
        ("sqlfluff redshift", "ALTER USER a SET statement_timeout TO"),
        ("sqlfluff redshift", "GRANT SELECT sys_connection_log TO a"),
        ("node-sql-parser redshift", "SELECT SUM(a) OVER (ORDER BY b RANGE UNBOUNDED PRECEDING) FROM t"),
        ("node-sql-parser redshift", "SELECT SUM(a) OVER (ORDER BY b GROUPS UNBOUNDED PRECEDING) FROM t"),
        ("node-sql-parser redshift", "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"),
        ("sqlglot athena", "SELECT a FROM t WHERE a ~ 'b'"),
        ("sqlglot athena", "SELECT TOP 5 a FROM t"),
        ("sqlglot athena", "CREATE EXTERNAL TABLE t (a string) STORED LOCATION 's3://b/'"),
        ("sqlfluff athena", "SELECT TOP 5 a FROM t"),
        ("sqlfluff athena", "SELECT a FROM t QUALIFY a = 1"),
        ("sqlfluff athena", "CREATE EXTERNAL TABLE t (a) LOCATION 's3://b/'"),
        ("dt-sql-parser trino", "SELECT a::integer FROM t"),
        ("dt-sql-parser trino", "SELECT a FROM t WHERE a ILIKE 'b'"),
        ("dt-sql-parser trino", "SELECT a FROM t WHERE a ~ 'b'"),
        ("dt-sql-parser trino", "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"),
        ("dt-sql-parser hive", "CREATE EXTERNAL TABLE t (a) LOCATION 's3://b/'"),
        ("dt-sql-parser hive", "CREATE EXTERNAL TABLE t (a struct<b string>) LOCATION 's3://b/'"),
        ("dt-sql-parser hive", "CREATE EXTERNAL TABLE t (a string) STORED LOCATION 's3://b/'"),
    ],
)
def test_what_is_illegal_is_refused(refusal: Refusal, grammar: str, sql: str) -> None:
    assert refusal(grammar, sql) is not None


@pytest.mark.parametrize(
    ("file", "grammar"),
    [
        *(("monitor_user.sql", grammar) for grammar in REDSHIFTS_USERS),
        *((file, grammar) for file in ("audit_log_s3.sql", "cloudtrail.sql") for grammar in ATHENAS_TABLES),
    ],
)
def test_the_setup_is_read(refusal: Refusal, file: str, grammar: str) -> None:
    assert refusal(grammar, (SETUP / file).read_text()) is None


@pytest.mark.parametrize("file", sorted(SETUP.glob("*.sql")), ids=lambda file: file.name)
def test_the_comments_of_a_setup_stand_below_it_as_athena_refuses_a_table_with_one_in_it(file: Path) -> None:
    assert re.fullmatch(r"CREATE ((?!--).)*(\n--[^\n]*)+\n", file.read_text(), re.DOTALL)
