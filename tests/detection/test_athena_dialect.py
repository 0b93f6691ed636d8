"""The statement for Athena holds nothing that Athena lacks, and names the log no more often than it has to."""

from __future__ import annotations

import re

import pytest
from sqlglot import exp, parse_one, tokenize
from sqlglot.tokens import TokenType

from tests.conftest import make_run, render_statement

TABLES = {
    "audit_log_s3": "redshift_audit_log",
    "cloudtrail": "redshift_cloudtrail",
    "sys_connection_log_s3": "sys_connection_log",
}


def not_in_athena(sql: str) -> set[str]:
    """Name the constructs in ``sql`` that Athena lacks or that follow the wall clock."""
    tree = parse_one(sql, read="athena")
    found = set()
    if re.search(r"INTERVAL\s+'\d+\s+\w+'", sql):
        found.add("INTERVAL '30 minutes'")
    if any(token.token_type is TokenType.DCOLON for token in tokenize(sql, read="athena")):
        found.add("::")
    if any(isinstance(of.this, exp.Predicate | exp.Boolean) for of in tree.find_all(exp.Sum)):
        found.add("SUM of a boolean")
    if tree.find(exp.CurrentTimestamp, exp.CurrentDate) or re.search(r"\b(NOW|GETDATE)\s*\(", sql):
        found.add("clock")
    if re.search(r";\s*\S", sql):
        found.add("second statement")
    return found


def scans(sql: str, table: str) -> int:
    """How often Athena, which runs a CTE anew wherever it is named, reads ``table``."""
    tree = parse_one(sql, read="athena")
    ctes = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    tree.args["with_"].pop()

    def of(part: exp.Expr) -> int:
        names = [each.name for each in part.find_all(exp.Table)]
        return names.count(table) + sum(of(ctes[name]) for name in names if name in ctes)

    return of(tree)


@pytest.mark.parametrize("source", sorted(TABLES))
@pytest.mark.parametrize("count", ["failures", "distinct user_name"])
def test_the_statement_is_legal_in_athena(source: str, count: str) -> None:
    run = make_run(source=source, athena_conn_id="athena", namespace="n_sys", cluster="analytics", count=count)
    assert not_in_athena(render_statement(run)) == set()


@pytest.mark.parametrize(
    ("construct", "sql"),
    [
        ("INTERVAL '30 minutes'", "SELECT a + INTERVAL '30 minutes' FROM t"),
        ("::", "SELECT a::integer FROM t"),
        ("SUM of a boolean", "SELECT SUM(a = 1) FROM t"),
        ("clock", "SELECT * FROM t WHERE a > NOW()"),
        ("clock", "SELECT * FROM t WHERE a > CURRENT_TIMESTAMP"),
    ],
)
def test_each_construct_that_athena_lacks_is_refused(construct: str, sql: str) -> None:
    assert not_in_athena(sql) == {construct}


@pytest.mark.parametrize("source", sorted(TABLES))
@pytest.mark.parametrize("own_thresholds", [0, 20])
def test_the_log_is_read_so_often_however_many_thresholds_there_are(source: str, own_thresholds: int) -> None:
    entries = [{"remote_host": "192.0.2.0/24", "threshold": 11 + number} for number in range(own_thresholds)]
    run = make_run(source=source, athena_conn_id="athena", namespace="n_sys", thresholds=entries)
    # Once more to see at which of many warehouses each group failed.
    assert scans(render_statement(run), TABLES[source]) == (13 if source == "sys_connection_log_s3" else 12)


def test_the_log_is_read_once_more_where_a_group_may_sign_in_from_any_host() -> None:
    run = make_run(source="audit_log_s3", athena_conn_id="athena", group_by=["user_name"])
    assert scans(render_statement(run), TABLES["audit_log_s3"]) == 13


def test_the_log_of_many_warehouses_is_read_twelve_times_where_the_group_names_its_warehouse() -> None:
    asked = {"group_by": ["warehouse", "remote_host"], "namespace": "n_sys"}
    run = make_run(source="sys_connection_log_s3", athena_conn_id="athena", **asked)
    assert scans(render_statement(run), "sys_connection_log") == 12
