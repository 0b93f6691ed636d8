"""The statement holds nothing that Redshift lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from tests.conftest import ROOT, make_run, render_statement

AGGREGATES = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg)
# But for the event, which is Redshift's own word and ASCII.
LOG_TEXT = {
    "stl_connection_log": (
        "remotehost", "username", "dbname", "authmethod", "driver_version", "application_name", "os_version",
        "sslversion",
    ),
    "sys_connection_log": (
        "remote_host", "user_name", "database_name", "auth_method", "driver_version", "application_name", "os_version",
        "ssl_version",
    ),
}  # fmt: skip
CATALOGUE = ("pg_", "information_schema", "svv_")
CLOCKS = {"GETDATE", "SYSDATE", "NOW", "CURRENT_TIMESTAMP", "CURRENT_DATE"}


def not_in_redshift(sql: str) -> set[str]:
    """Name the constructs in ``sql`` that Redshift lacks or that follow the wall clock."""
    tree = parse_one(sql, read="redshift")
    found = set()
    if tree.find(exp.Filter):
        found.add("FILTER")
    if any(cte.args.get("materialized") is not None for cte in tree.find_all(exp.CTE)):
        found.add("MATERIALIZED")
    for window in tree.find_all(exp.Window):
        spec, function = window.args.get("spec"), window.this
        if spec and spec.args.get("kind") == "RANGE":
            found.add("RANGE frame")
        if isinstance(function, AGGREGATES) and window.args.get("order") and not spec:
            found.add("aggregate window without its frame")
        if isinstance(function, exp.Count) and isinstance(function.this, exp.Distinct):
            found.add("COUNT(DISTINCT) OVER")
    if any(isinstance(of.this, exp.Predicate | exp.Boolean | exp.Connector) for of in tree.find_all(exp.Max, exp.Min)):
        found.add("MAX of a boolean")
    if any(table.sql().lower().startswith(CATALOGUE) for table in tree.find_all(exp.Table)):
        found.add("catalogue table")
    if any(isinstance(alias.this, exp.Null) for alias in tree.find_all(exp.Alias)):
        found.add("untyped NULL")  # a function on it, one level up, has no type to go by
    names = {node.sql("redshift").upper().split("(")[0] for node in tree.find_all(exp.Func, exp.Column)}
    if names & CLOCKS:
        found.add("clock")
    if re.search(r"INTERVAL\s+'\d+'\s+[A-Z]", sql):
        found.add("INTERVAL '30' MINUTE")
    return found


@pytest.mark.parametrize("file", sorted((ROOT / "include").rglob("*.sql")), ids=lambda file: file.stem)
def test_no_line_of_sql_is_longer_than_the_limit_for_python(file: Path) -> None:
    assert max(map(len, file.read_text(encoding="utf-8").splitlines())) <= 120


@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
@pytest.mark.parametrize("group_by", [("remote_host",), ("user_name",), ("remote_host", "user_name", "database_name")])
def test_the_statement_is_legal_in_redshift(source: str, group_by: tuple[str, ...]) -> None:
    assert not_in_redshift(render_statement(make_run(source=source, group_by=group_by))) == set()


@pytest.mark.parametrize(
    ("construct", "sql"),
    [
        ("untyped NULL", "SELECT RTRIM(a) FROM (SELECT NULL AS a) AS t"),
        ("FILTER", "SELECT COUNT(*) FILTER (WHERE a = 1) FROM t"),
        ("MATERIALIZED", "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"),
        ("RANGE frame", "SELECT SUM(a) OVER (ORDER BY b RANGE UNBOUNDED PRECEDING) FROM t"),
        ("aggregate window without its frame", "SELECT SUM(a) OVER (PARTITION BY c ORDER BY b) FROM t"),
        ("COUNT(DISTINCT) OVER", "SELECT COUNT(DISTINCT a) OVER (PARTITION BY c) FROM t"),
        ("MAX of a boolean", "SELECT MAX(a = 1) FROM t"),
        ("catalogue table", "SELECT * FROM stl_connection_log JOIN pg_user ON usename = username"),
        ("clock", "SELECT * FROM t WHERE a > GETDATE()"),
        ("clock", "SELECT * FROM t WHERE a > SYSDATE"),
        ("INTERVAL '30' MINUTE", "SELECT a + INTERVAL '30' MINUTE FROM t"),
    ],
)
def test_each_construct_that_redshift_lacks_is_refused(construct: str, sql: str) -> None:
    assert not_in_redshift(sql) == {construct}


def test_the_statement_holds_no_percent_sign_which_the_drivers_would_read_as_a_parameter() -> None:
    assert "%" not in render_statement(make_run())


def functions_on_raw_columns(sql: str) -> set[str]:
    """Name the functions and comparisons but CAST in ``sql`` that read a text column of the log itself."""
    tree = parse_one(sql, read="redshift")
    text = {column for names in LOG_TEXT.values() for column in names}
    found = set()
    for select in tree.find_all(exp.Select):
        source = select.args.get("from_") or select.args.get("from")
        if not source or source.this.name not in LOG_TEXT or not isinstance(source.this, exp.Table):
            continue
        for column in select.find_all(exp.Column):
            if column.name in text and not isinstance(column.parent, exp.Cast):
                found.add(f"{type(column.parent).__name__} of {column.name}")
    return found


@pytest.mark.parametrize("source", list(LOG_TEXT))
@pytest.mark.parametrize("settings", [{}, {"count": "distinct user_name"}], ids=["failures", "distinct users"])
def test_nothing_but_a_cast_reads_the_logs_char_columns_as_functions_on_char_refuse_text_that_is_not_ascii(
    source: str, settings: dict[str, str]
) -> None:
    sql = render_statement(make_run(source=source, **settings))
    assert functions_on_raw_columns(sql) == set()
    casts = parse_one(sql, read="redshift").find_all(exp.Cast)
    assert {cast.this.name for cast in casts} >= set(LOG_TEXT[source])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT RTRIM(username) FROM stl_connection_log",
        "SELECT RTRIM(CAST(RTRIM(username) AS VARCHAR)) FROM stl_connection_log",
        "SELECT username FROM stl_connection_log",
        "SELECT pid FROM stl_connection_log WHERE username = 'a'",
    ],
)
def test_a_raw_column_is_found(sql: str) -> None:
    assert functions_on_raw_columns(sql) != set()
