"""RedshiftSQLOperator through PyAthena: polling, paging, cost, and what each failure of a query says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
import tenacity
from airflow.exceptions import AirflowException
from moto.athena.models import athena_backends
from moto.core.exceptions import JsonRESTError

from redshift_auth_alert.tasks.check_warehouse import check_sources
from redshift_auth_alert.tasks.operators import RedshiftSQLOperator
from redshift_auth_alert.tasks.sign_in import choose_hook
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.athena import Athena, answering_queries
from sandbox.athena_engine import QueryFailedError
from sandbox.aws import ACCOUNT, REGION, Cloud, running_cloud
from sandbox.log_files import FAILURE, ConnectionEvent, audit_log_files, setup_statement
from sandbox.published_log import NAMESPACE, publish
from tests.conftest import NOON, ROOT, make_run, render_statement

START = NOON.replace(tzinfo=None)
RETRIED, FINAL = AirflowException, AirflowFailException
SETUP = setup_statement("audit_log_s3", "logs")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        s3 = running.client("s3")
        for bucket in ("logs", "results"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        attack = [
            ConnectionEvent(FAILURE, START + timedelta(minutes=minute), "203.0.113.7", "ann") for minute in range(12)
        ]
        around = [
            ConnectionEvent("authenticated", START + timedelta(hours=hour), "[local]", "rdsdb") for hour in range(-6, 6)
        ]
        for key, content in audit_log_files(attack + around):
            s3.put_object(Bucket="logs", Key=key, Body=content)
        publish(running, {"sales": attack[:6] + around, "lab": attack[6:] + around})
        yield running


@pytest.fixture
def athena(cloud: Cloud) -> Iterator[Athena]:
    with answering_queries(cloud.client("s3")) as answering:
        answering.engine.run(SETUP)
        yield answering


@pytest.fixture
def connection(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Define the connection ``athena_default``, with some of its extra changed."""
    monkeypatch.setattr("pyathena.util.wait_exponential", lambda **_: tenacity.wait_none())
    monkeypatch.setattr("botocore.retryhandler.delay_exponential", lambda *_, **__: 0)

    def define(**changed: Any) -> None:
        extra = {
            "region_name": REGION, "endpoint_url": cloud.endpoint, "poll_interval": 0.05,
            "s3_staging_dir": "s3://results/",
        } | changed  # fmt: skip
        given = {name: value for name, value in extra.items() if value is not None}
        athena = {"conn_type": "athena", "login": "sandbox", "password": "sandbox", "schema": "logs", "extra": given}
        monkeypatch.setenv("AIRFLOW_CONN_ATHENA_DEFAULT", json.dumps(athena))

    define()
    return define


class Pushed(dict[str, Any]):
    """Stands in for the task instance, which is Airflow's."""

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value


def execute(sql: str = "SELECT 1 AS one", **parameters: str) -> tuple[dict[str, Any], Pushed]:
    pushed = Pushed()
    operator = RedshiftSQLOperator(task_id="query", conn_id="athena_default", sql=sql, **parameters)
    return operator.execute({"ti": pushed}), pushed


def test_the_statement_finds_the_breach_in_the_files(athena: Athena, connection: Any) -> None:
    table, _ = execute(render_statement(make_run(source="audit_log_s3", athena_conn_id="athena_default")))
    found = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert (found["source"], found["remote_host"], found["failures"]) == ("audit_log_s3", "203.0.113.7", 12)
    assert found["first_breach_at"] == "2026-03-01T12:09:00"
    assert json.loads(json.dumps(table)) == table


def test_the_statement_finds_the_breach_in_the_tables_that_redshift_publishes(athena: Athena, connection: Any) -> None:
    run = make_run(source="sys_connection_log_s3", athena_conn_id="athena_default", namespace=NAMESPACE)
    table, _ = execute(render_statement(run))
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    (found,) = [row for row in rows if row["failures"] is not None]
    assert (found["remote_host"], found["failures"], found["warehouses"]) == ("203.0.113.7", 12, 2)
    assert [row["covered_warehouse"] for row in rows] == [None, "lab", "sales"]
    assert found["first_breach_at"] == "2026-03-01T12:09:00"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"namespace": "other_sys"},
            r"Redshift does not publish that: .* set namespace to .*Schema 'other_sys' does not",
        ),
        (
            {"catalog": "s3tablescatalog/x"},
            r"the data catalog does not exist: check catalog.*'s3tablescatalog/x' not found",
        ),
    ],
)
def test_a_namespace_or_a_catalog_that_is_not_there_says_athenas_reason_and_what_to_do(
    athena: Athena, connection: Any, changed: dict[str, str], says: str
) -> None:
    asked = {"namespace": NAMESPACE} | changed
    run = make_run(source="sys_connection_log_s3", athena_conn_id="athena_default", **asked)
    with pytest.raises(AirflowFailException, match=says):
        execute(render_statement(run))


def test_rows_come_back_ready_for_json(athena: Athena, connection: Any) -> None:
    table, _ = execute("SELECT 1 AS one, TIMESTAMP '2026-03-01 12:00:00' AS noon, 'ü' AS text, '' AS empty, NULL AS no")
    assert table == {
        "columns": ["one", "noon", "text", "empty", "no"],
        "rows": [[1, "2026-03-01T12:00:00", "ü", "", None]],
    }


def test_a_result_of_several_pages_comes_back_whole(athena: Athena, connection: Any) -> None:
    table, _ = execute("SELECT number FROM UNNEST(SEQUENCE(1, 2500)) AS t(number)")
    assert [row[0] for row in table["rows"]] == list(range(1, 2501))


def test_what_was_scanned_is_logged_and_pushed(
    athena: Athena, connection: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _, pushed = execute("SELECT COUNT(*) AS lines FROM redshift_audit_log WHERE day = '2026/03/01'")
    assert pushed["scanned_bytes"] > 500
    assert f"Athena scanned {pushed['scanned_bytes']:,} bytes (query {next(iter(athena.results))})" in caplog.text


@pytest.fixture
def scanned(athena: Athena, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let each query have scanned so many bytes."""
    result = athena.engine.run("SELECT 1 AS one")
    return lambda number: monkeypatch.setattr(athena.engine, "run", lambda _: replace(result, scanned_bytes=number))


def test_a_run_may_scan_as_much_as_is_allowed(connection: Any, scanned: Any) -> None:
    scanned(10 * 10**9)
    assert execute(max_scanned_gb="10")[0]["rows"] == [[1]]


def test_a_run_that_scanned_more_than_allowed_fails_for_good(connection: Any, scanned: Any) -> None:
    scanned(10 * 10**9 + 1)
    with pytest.raises(AirflowFailException, match=r"scanned 10\.0 GB, more than max_scanned_gb allows \(10; query"):
        execute(max_scanned_gb="10")


@pytest.mark.parametrize(
    ("failure", "says", "kind"),
    [
        (QueryFailedError("SYNTAX_ERROR: line 1:8: mismatched input"), "Athena refused the statement", FINAL),
        (QueryFailedError("COLUMN_NOT_FOUND: line 1:8: Column 'x'"), "Athena refused the statement", FINAL),
        (QueryFailedError("SCHEMA_NOT_FOUND: Schema 'logs' does not exist"), "run include/sql/setup/", FINAL),
        (QueryFailedError("Access Denied (Status Code: 403)"), "access is denied", FINAL),
        (QueryFailedError("Insufficient permissions to execute the query."), "access is denied", FINAL),
        (QueryFailedError("HIVE_BAD_DATA: Error parsing s3://logs/x.gz"), "restore the file", FINAL),
        (QueryFailedError("Bytes scanned limit was exceeded", "CANCELLED"), "the workgroup's limit", FINAL),
        (QueryFailedError("Query cancelled by user", "CANCELLED"), "the query was cancelled", RETRIED),
        (QueryFailedError("INTERNAL_ERROR_QUERY_ENGINE"), "AWS is throttling or short of resources", RETRIED),
        (QueryFailedError("Query exhausted resources at this scale factor"), "AWS is throttling or short", RETRIED),
        (QueryFailedError("Something new"), "the query failed", RETRIED),
    ],
)  # fmt: skip
def test_a_failed_query_says_athenas_reason_its_id_and_what_to_do(
    athena: Athena, connection: Any, failure: QueryFailedError, says: str, kind: type
) -> None:
    athena.engine.run = Mock(side_effect=failure)  # type: ignore[method-assign]
    with pytest.raises(AirflowException, match="'athena_default': ") as failed:
        execute()
    assert says in str(failed.value)
    assert f"{failure}; query {next(iter(athena.results))})" in str(failed.value)
    assert type(failed.value) is kind


def test_a_task_that_is_killed_stops_its_query(athena: Athena, connection: Any) -> None:
    operator = RedshiftSQLOperator(task_id="query", conn_id="athena_default", sql="SELECT 1 AS one")
    operator.execute({"ti": Pushed()})
    operator.on_kill()
    (execution,) = [athena_backends[ACCOUNT][REGION].executions[query_id] for query_id in athena.results]
    assert execution.status == "CANCELLED"


def test_a_table_that_is_not_there_is_named(athena: Athena, connection: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"run include/sql/setup/ in Athena.*no_such_log"):
        execute("SELECT * FROM no_such_log")


def test_a_truncated_file_is_named(athena: Athena, connection: Any, cloud: Cloud) -> None:
    key = "AWSLogs/123456789012/redshift/eu-central-1/2026/05/01/x_connectionlog_2026-05-01T00:53.gz"
    cloud.client("s3").put_object(Bucket="logs", Key=key, Body=b"\x1f\x8b\x08\x00 no gzip")
    with pytest.raises(AirflowFailException, match=r"a file of the log cannot be read.*2026-05-01T00:53\.gz"):
        execute("SELECT line FROM redshift_audit_log WHERE day = '2026/05/01'")


def test_throttling_is_tried_again(athena: Athena, connection: Any) -> None:
    athena.refusals.extend([("ThrottlingException", "Rate exceeded")] * 3)
    assert execute()[0]["rows"] == [[1]]


@pytest.mark.parametrize(
    ("code", "says", "kind"),
    [
        ("ThrottlingException", "AWS is throttling or short of resources", RETRIED),
        ("AccessDeniedException", "access is denied", FINAL),
    ],
)
def test_a_refusal_to_start_the_query_says_what_to_do(
    athena: Athena, connection: Any, code: str, says: str, kind: type
) -> None:
    athena.refusals.extend([(code, "You may not")] * 100)
    with pytest.raises(AirflowException, match=says) as failed:
        execute()
    assert type(failed.value) is kind


def test_a_result_that_is_gone_is_asked_for_again_by_a_retry(
    athena: Athena, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(_result: Any, _first: int) -> None:
        raise JsonRESTError("InvalidRequestException", "Could not find results")

    monkeypatch.setattr("sandbox.athena._page", page)
    with pytest.raises(AirflowException, match="the query's results are gone: it runs again") as failed:
        execute()
    assert not isinstance(failed.value, AirflowFailException)


@pytest.mark.parametrize("missing", ["region_name", "s3_staging_dir"])
def test_a_connection_that_lacks_something_says_what(connection: Any, athena: Athena, missing: str) -> None:
    connection(**{missing: None})
    with pytest.raises(AirflowFailException, match=f"its extra needs region_name, and s3_staging_dir.*{missing}"):
        execute()


def test_a_connection_of_another_type_than_the_source_needs_is_refused_before_any_query(
    connection: Any, athena: Athena
) -> None:
    with pytest.raises(
        AirflowFailException, match=r"'athena_default' is of type 'athena'; valid .*: redshift, postgres"
    ):
        execute(connection_types="redshift,postgres")
    assert athena.results == {}


def setup_checks(source: str = "audit_log_s3", **more: Any) -> dict[str, tuple[str, str]]:
    run = make_run(source=source, athena_conn_id="athena_default", check_only=True, **more)
    now = NOON + timedelta(minutes=165)  # the audit log settles for two hours
    found = check_sources(run, now, ROOT / "include", partial(choose_hook, queries=[]))
    return {check.name: (check.outcome, check.says) for check in found}


def test_the_set_up_of_a_log_in_s3_is_checked(athena: Athena, connection: Any) -> None:
    found = setup_checks()
    assert {name: says for name, (outcome, says) in found.items() if outcome != "ok"} == {}
    assert found["events"][1] == "authentication failure (12), authenticated (11)"
    assert "for 2026-03-01 12:15:00 to 2026-03-01 12:45:00 UTC; 0 failures" in found["statement"][1]


FLEET = {"source": "sys_connection_log_s3", "namespace": NAMESPACE}


def test_the_set_up_of_the_tables_that_redshift_publishes_is_checked(athena: Athena, connection: Any) -> None:
    found = setup_checks(**FLEET, settle_minutes=165, expect_warehouses=["lab"])
    assert {name: says for name, (outcome, says) in found.items() if outcome != "ok"} == {}
    warehouses = "2 in the scanned days: lab, sales. Evaluated, but not reported if they stop: sales"
    assert found["warehouses"] == ("ok", warehouses)
    assert "; Athena scanned " in found["statement"][1]


@pytest.mark.parametrize(
    ("expected", "outcome", "says"),
    [
        (
            ["lab", "hr"],
            "not ok",
            "missing: hr. Turn publishing on there, or correct cluster or expect_warehouses; 2 in",
        ),
        ([], "not checked", "2 in the scanned days: lab, sales. Name those that must be there as expect_warehouses"),
    ],
    ids=["one is missing", "none is named"],
)
def test_a_check_of_the_set_up_compares_the_warehouses_with_those_that_there_should_be(
    athena: Athena, connection: Any, expected: list[str], outcome: str, says: str
) -> None:
    found = setup_checks(**FLEET, expect_warehouses=expected)["warehouses"]
    assert (found[0], found[1][: len(says)]) == (outcome, says)


def test_a_check_of_the_set_up_says_that_the_table_is_missing(athena: Athena, connection: Any) -> None:
    outcome, says = setup_checks("cloudtrail")["log"]
    assert (outcome, "run include/sql/setup/ in Athena" in says) == ("not ok", True)


def test_a_check_of_the_set_up_says_that_athena_scans_too_much(
    athena: Athena, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyathena.cursor.Cursor.data_scanned_in_bytes", 11_000_000_000)
    outcome, says = setup_checks()["sign-in"]
    assert outcome == "not ok"
    assert says.startswith("Athena scanned 11.0 GB, more than max_scanned_gb allows (10; query ")
    assert "ask for a shorter interval, name the cluster, or raise max_scanned_gb" in says


def test_a_check_of_the_set_up_says_that_the_files_stopped_long_ago(athena: Athena, connection: Any) -> None:
    run = make_run(source="audit_log_s3", athena_conn_id="athena_default", check_only=True)
    now = NOON + timedelta(hours=12)
    found = check_sources(run, now, ROOT / "include", partial(choose_hook, queries=[]))
    delay = next(check for check in found if check.name == "delay")
    assert (delay.outcome, delay.says[:39]) == ("not ok", "the newest event is 480 minutes old; ru")
