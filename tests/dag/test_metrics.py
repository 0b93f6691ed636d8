"""What CloudWatch is told, on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sandbox.aws import REGION, Cloud, running_cloud
from sandbox.warehouse import free_port
from tests.conftest import NOON
from tests.dag.test_check import UNSEEN, check
from tests.unit.test_breaches import quiet, row

DIMENSIONS = [
    {"Name": "Monitor", "Value": "redshift_auth_failure_alert"},
    {"Name": "RunType", "Value": "scheduled"},
]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture
def namespace(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace that nothing was written to."""
    use(monkeypatch, cloud.endpoint)
    return f"RedshiftAuthAlert/{uuid4().hex}"


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    aws = {"conn_type": "aws", "login": "sandbox", "password": "sandbox"}
    extra = {"region_name": REGION, "endpoint_url": endpoint}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws | {"extra": extra}))


def points(cloud: Cloud, namespace: str, metric: str, around: datetime) -> list[float]:
    """What the metric holds, in the minutes around a time."""
    answer = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=metric, Dimensions=DIMENSIONS, Statistics=["Sum"], Period=60, Unit="Count",
        StartTime=around - timedelta(minutes=1), EndTime=around + timedelta(minutes=2),
    )  # fmt: skip
    return [point["Sum"] for point in answer["Datapoints"]]


def metrics(cloud: Cloud, namespace: str) -> set[str]:
    return {metric["MetricName"] for metric in cloud.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]}


def test_a_run_counts_as_evaluated_when_it_is(cloud: Cloud, namespace: str) -> None:
    check(quiet(), metrics_namespace=namespace)
    assert points(cloud, namespace, "IntervalsEvaluated", datetime.now(UTC)) == [1]


def test_failures_and_breaching_groups_are_written_at_the_intervals_start(cloud: Cloud, namespace: str) -> None:
    check(row(new_groups=2, ongoing_groups=3), metrics_namespace=namespace)
    found = [points(cloud, namespace, metric, NOON) for metric in ("Failures", "BreachingGroups")]
    assert found == [[31], [5]]


def test_an_unseen_interval_is_not_evaluated(cloud: Cloud, namespace: str) -> None:
    check(UNSEEN, when_unseen="warn", metrics_namespace=namespace)
    assert metrics(cloud, namespace) == set()


def test_nothing_is_written_without_a_namespace(cloud: Cloud, namespace: str) -> None:
    check(row())
    assert metrics(cloud, namespace) == set()


def test_an_alert_is_published_though_cloudwatch_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert check(row(), metrics_namespace="RedshiftAuthAlert")[0] == "publish_alert"
    assert "CloudWatch did not take Failures and BreachingGroups of namespace RedshiftAuthAlert:" in caplog.text
