"""The warehouse's name and the address of the run's page, as the connection and Airflow's configuration give them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redshift_auth_alert.settings.monitors import Monitor
from tests.conftest import NOON, ROOT, make_run
from tests.detection.events import HEARTBEAT, failures

HOST = "sales-dwh.abc123.eu-central-1.redshift.amazonaws.com"
VARIABLE = "AIRFLOW_CONN_REDSHIFT_DEFAULT"


def name(**settings: Any) -> str | None:
    from redshift_auth_alert.tasks.origin import warehouse_name

    return warehouse_name(make_run(**settings).settings)


def connect(monkeypatch: pytest.MonkeyPatch, host: str = HOST, **extra: Any) -> None:
    fields = {"conn_type": "redshift", "host": host, "login": "ann", "password": "secret", "extra": extra}
    monkeypatch.setenv(VARIABLE, json.dumps(fields))


@pytest.mark.parametrize(
    ("host", "extra", "named"),
    [
        pytest.param(HOST, {"cluster_identifier": "finance"}, "finance", id="cluster"),
        pytest.param(HOST, {"serverless_work_group": "adhoc"}, "adhoc", id="workgroup"),
        pytest.param(HOST, {}, "sales-dwh", id="host name"),
        pytest.param("127.0.0.1", {}, None, id="IPv4 address"),
        pytest.param("2001:db8::1", {}, None, id="IPv6 address"),
        pytest.param("", {}, None, id="no host"),
        pytest.param("sales dwh.example.com", {}, None, id="a name that no subject takes"),
        pytest.param("w" * 65 + ".example.com", {}, None, id="a name that is too long"),
        pytest.param(HOST, {"cluster_identifier": ["x"]}, None, id="an identifier that is no text"),
    ],
)
def test_the_connection_names_the_warehouse_by(
    monkeypatch: pytest.MonkeyPatch, host: str, extra: dict[str, Any], named: str | None
) -> None:
    connect(monkeypatch, host, **extra)
    assert name() == named


def test_the_setting_goes_before_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    assert name(warehouse="dwh") == "dwh"


@pytest.mark.parametrize(
    ("settings", "named"), [({}, None), ({"cluster": "finance"}, "finance"), ({"warehouse": "dwh"}, "dwh")]
)
def test_a_log_in_s3_is_named_by_its_cluster(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], named: str | None
) -> None:
    connect(monkeypatch)
    assert name(source="audit_log_s3", athena_conn_id="athena_default", **settings) == named


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="is not there"),
        pytest.param("{", id="is malformed"),
        pytest.param('{"conn_type": "redshift", "extra": "[1]"}', id="has an extra that is no object"),
    ],
)
def test_an_alert_is_published_and_it_is_logged_where_the_connection(
    check: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value:
        monkeypatch.setenv(VARIABLE, value)
    branch, pushed = check(failures(*range(12)) + HEARTBEAT)
    assert branch == "publish_alert"
    assert pushed["document"]["warehouse"] is None
    assert pushed["subject"].startswith("[ALERT] (test) Redshift: ")
    assert "The message does not name the warehouse: connection 'redshift_default': " in caplog.text


def test_an_alert_names_the_warehouse_of_its_connection(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    pushed = check(failures(*range(12)) + HEARTBEAT)[1]
    assert pushed["document"]["warehouse"] == "sales-dwh"
    assert "\nWarehouse    sales-dwh\n" in pushed["body"]


def test_the_summary_of_a_quiet_run_names_the_warehouse(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    branch, pushed = check(HEARTBEAT)
    assert (branch, pushed["summary"]["warehouse"]) == ("no_alert", "sales-dwh")


def page(monkeypatch: pytest.MonkeyPatch, base: str | None, run_id: str = "scheduled__1") -> str | None:
    from redshift_auth_alert.tasks.origin import run_url

    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    if base is not None:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    return run_url("redshift_auth_failure_alert", run_id)


@pytest.mark.parametrize(
    "base",
    [
        None,
        "",
        "http://localhost:8080",
        "http://localhost:8080/",
        "javascript:alert(1)",
        "airflow.example.com",
    ],
)
def test_there_is_no_page_where_airflow_does_not_say_where_it_is(
    monkeypatch: pytest.MonkeyPatch, base: str | None
) -> None:
    assert page(monkeypatch, base) is None


@pytest.mark.parametrize("base", ["https://airflow.example.com", "https://airflow.example.com/"])
def test_the_page_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    address = "https://airflow.example.com/dags/redshift_auth_failure_alert/runs/scheduled__1"
    assert page(monkeypatch, base) == address


@pytest.mark.parametrize(
    ("run_id", "encoded"),
    [
        ("scheduled__2026-03-01T12:35:00+00:00", "scheduled__2026-03-01T12%3A35%3A00%2B00%3A00"),
        ("a/b?c#d e", "a%2Fb%3Fc%23d%20e"),
        ("~x~", "%7Ex%7E"),
        ("\u00fc\n", "%C3%BC%0A"),
    ],
)
def test_a_run_id_is_encoded(monkeypatch: pytest.MonkeyPatch, run_id: str, encoded: str) -> None:
    assert str(page(monkeypatch, "https://airflow.example.com", run_id)).split("/runs/")[1] == encoded


def test_an_alert_links_to_its_run(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    pushed = check(failures(*range(12)) + HEARTBEAT)[1]
    address = "https://airflow.example.com/dags/redshift_auth_failure_alert/runs/scheduled__1"
    assert pushed["document"]["run_url"] == address
    assert f"\nPage         {address}\n" in pushed["body"]


def test_a_failure_names_the_warehouse_and_links_to_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from redshift_auth_alert.tasks.run import Run

    connect(monkeypatch)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monitor = Monitor(dag_id="dag", file=Path("default.yaml"), settings=make_run().settings)
    ti = SimpleNamespace(
        run_id="manual__1",
        dag_id="dag",
        get_task_states=lambda **_: {"manual__1": {"query_auth_failures": "failed"}},
        xcom_pull=lambda **_: "no rights",
    )
    dag_run = SimpleNamespace(
        run_id="manual__1", run_type="manual", logical_date=None, data_interval_start=None, data_interval_end=None,
        run_after=NOON, start_date=NOON, conf={},
    )  # fmt: skip
    task = SimpleNamespace(render_template=lambda template, _context: template)
    context = {"ti": ti, "dag_run": dag_run, "task": task}
    report = Run(monitor, ROOT / "include").failure(context)  # type: ignore[arg-type]
    assert report
    assert report.message.subject == "[FAILED] (test) sales-dwh: sign-ins not evaluated"
    assert "\nPage         https://airflow.example.com/dags/dag/runs/manual__1\n" in report.message.body
