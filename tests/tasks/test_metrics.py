"""The metrics that a run writes, on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from redshift_auth_alert.tasks.metrics import write_failed, write_metrics
from sandbox.aws import REGION, Cloud, running_cloud
from sandbox.warehouse import free_port
from tests.conftest import NOON, make_run
from tests.detection.events import HEARTBEAT, failures


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture
def namespace(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace that nothing was written to."""
    use(monkeypatch, cloud.endpoint)
    return f"RedshiftAuthAlert/{uuid4().hex}"


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str, conn_id: str = "aws_default", **extra: Any) -> None:
    aws = {"conn_type": "aws", "login": "sandbox", "password": "sandbox"}
    extra |= {"region_name": REGION, "endpoint_url": endpoint}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(aws | {"extra": extra}))


def points(cloud: Cloud, namespace: str, metric: str, around: datetime, run_type: str = "scheduled") -> list[float]:
    """What the metric holds, in the minutes around a time."""
    dimensions = {"Monitor": "redshift_auth_failure_alert", "RunType": run_type}
    answer = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=metric, Statistics=["Sum"], Period=60, Unit="Count",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=around - timedelta(minutes=1), EndTime=around + timedelta(minutes=2),
    )  # fmt: skip
    return [point["Sum"] for point in answer["Datapoints"]]


def metrics(cloud: Cloud, namespace: str) -> set[str]:
    return {metric["MetricName"] for metric in cloud.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]}


FOUND = {"Failures": 31, "BreachingGroups": 5}
ATTACK = failures(*range(12))


def test_a_quiet_run_counts_as_evaluated(check: Any, cloud: Cloud, namespace: str) -> None:
    check(HEARTBEAT, metrics_namespace=namespace)
    assert points(cloud, namespace, "IntervalsEvaluated", datetime.now(UTC)) == [1]


def test_what_was_found_is_written_at_the_intervals_start(cloud: Cloud, namespace: str) -> None:
    write_metrics(FOUND, make_run(metrics_namespace=namespace))
    assert [points(cloud, namespace, metric, NOON) for metric in FOUND] == [[31], [5]]


def test_all_failures_and_the_groups_that_breached_without_the_ignored_are_counted(check: Any) -> None:
    log = (
        ATTACK
        + failures(*range(-15, 15), host="192.0.2.2")  # ongoing
        + failures(*range(15), host="198.51.100.1")  # ignored
        + failures(1, host="192.0.2.9")
    )
    ignore = [{"remote_host": "198.51.100.0/24", "reason": "load test"}]
    pushed = check(log + HEARTBEAT, ignore=ignore)[1]
    assert pushed["metrics"] == {"Failures": 12 + 15 + 15 + 1, "BreachingGroups": 2}


def test_a_run_with_an_alert_counts_only_once_the_alert_is_published(check: Any, cloud: Cloud, namespace: str) -> None:
    branch, pushed = check(ATTACK + HEARTBEAT, metrics_namespace=namespace)
    assert (branch, metrics(cloud, namespace)) == ("publish_alert", set())
    write_metrics(pushed["metrics"], make_run(metrics_namespace=namespace))
    assert metrics(cloud, namespace) == {"IntervalsEvaluated", "Failures", "BreachingGroups"}


def test_kinds_of_runs_are_counted_apart(cloud: Cloud, namespace: str) -> None:
    write_metrics(FOUND, make_run(run_type="backfill", metrics_namespace=namespace))
    assert points(cloud, namespace, "Failures", NOON, "backfill") == [31]
    assert points(cloud, namespace, "Failures", NOON, "scheduled") == []


def test_an_unseen_interval_is_not_evaluated(check: Any, cloud: Cloud, namespace: str) -> None:
    check([], when_unseen="warn", metrics_namespace=namespace)
    assert metrics(cloud, namespace) == set()


def test_a_dry_run_writes_no_metrics(check: Any, cloud: Cloud, namespace: str) -> None:
    check(HEARTBEAT, dry_run=True, metrics_namespace=namespace)
    assert metrics(cloud, namespace) == set()


def test_cloudwatch_is_not_asked_without_a_namespace(
    check: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, f"http://127.0.0.1:{free_port()}")  # any try would be a warning
    check(HEARTBEAT)
    assert "CloudWatch" not in caplog.text


def test_the_monitors_connection_to_aws_is_used(
    check: Any, cloud: Cloud, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, cloud.endpoint, "other_aws")
    use(monkeypatch, f"http://127.0.0.1:{free_port()}")
    check(HEARTBEAT, aws_conn_id="other_aws", metrics_namespace=namespace)
    assert "IntervalsEvaluated" in metrics(cloud, namespace)


def test_metrics_go_through_the_proxy_of_the_connection(
    check: Any, cloud: Cloud, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "http://cloudwatch.invalid", config_kwargs={"proxies": {"http": cloud.endpoint}})
    check(HEARTBEAT, metrics_namespace=namespace)
    assert "IntervalsEvaluated" in metrics(cloud, namespace)


def test_a_cloudwatch_that_cannot_be_reached_is_a_warning_and_not_asked_twice(
    check: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert check(HEARTBEAT, metrics_namespace="RedshiftAuthAlert")[0] == "no_alert"
    assert "CloudWatch did not take IntervalsEvaluated of namespace RedshiftAuthAlert:" in caplog.text
    assert "did not take Failures" not in caplog.text


def test_a_failed_interval_is_counted_at_the_time_of_the_failure(cloud: Cloud, namespace: str) -> None:
    run = make_run(metrics_namespace=namespace)
    write_failed(run.settings, run.monitor, run.run_type)
    assert points(cloud, namespace, "IntervalsFailed", datetime.now(UTC)) == [1]
