"""The statement holds nothing that Redshift lacks."""

from __future__ import annotations

import re

import pytest
from sqlglot import exp, parse_one

from tests.conftest import make_run, render_statement

AGGREGATES = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg)
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
    names = {node.sql("redshift").upper().split("(")[0] for node in tree.find_all(exp.Func, exp.Column)}
    if names & CLOCKS:
        found.add("clock")
    if re.search(r"INTERVAL\s+'\d+'\s+[A-Z]", sql):
        found.add("INTERVAL '30' MINUTE")
    return found


@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
@pytest.mark.parametrize("group_by", [("remote_host",), ("remote_host", "user_name", "database_name")])
def test_the_statement_is_legal_in_redshift(source: str, group_by: tuple[str, ...]) -> None:
    assert not_in_redshift(render_statement(make_run(source=source, group_by=group_by))) == set()


@pytest.mark.parametrize(
    ("construct", "sql"),
    [
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
