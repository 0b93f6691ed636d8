"""The metrics of a run: that it evaluated its interval or failed, which alarms watch, and what it found."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.message.setup import Check
from redshift_auth_alert.settings.model import RunSettings

log = logging.getLogger(__name__)

# The task waits for this, so it gives up soon where CloudWatch cannot be reached.
_PATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


class NotTakenError(Exception):
    """CloudWatch did not take a metric."""


def measures(verdict: Verdict) -> dict[str, int]:
    """Return ``Failures`` (all of the interval) and ``BreachingGroups`` (without the ignored ones)."""
    totals = verdict.totals
    return {"Failures": verdict.failures, "BreachingGroups": totals.reported + totals.held_back}


def write_metrics(found: Mapping[str, int], run: Evaluation, *, evaluated: bool = True) -> None:
    """Write what was ``found``, where the monitor names a namespace. A dry run writes nothing, as it reports nothing.

    Call it once everything is reported: ``IntervalsEvaluated`` says just that, at the time of writing. It is not
    written where some warehouses of a fleet were not ``evaluated``. What was found counts at the interval's start. An
    error is a warning in the log: the missing metric raises the alarm.
    """
    with _as_a_warning():
        if evaluated:
            _write(run.settings, run.monitor, run.run_type, {"IntervalsEvaluated": 1})
        # Separately: CloudWatch refuses points older than two weeks, such as those of a backfill.
        _write(run.settings, run.monitor, run.run_type, found, at=run.interval.start)


def write_failed(settings: RunSettings, monitor: str, run_type: str) -> None:
    """Write ``IntervalsFailed`` at each attempt to report a failure: its alarm works where the topic does not."""
    with _as_a_warning():
        _write(settings, monitor, run_type, {"IntervalsFailed": 1})


def check_metrics(run: Evaluation) -> list[Check]:
    """Check that CloudWatch takes a metric, ``SetUpChecked``, where the monitor names a namespace."""
    settings = run.settings
    if settings.metrics_namespace is None:
        return []
    if settings.dry_run:
        return [Check("metrics", "not checked", "a dry run writes no metric")]
    try:
        _write(settings, run.monitor, run.run_type, {"SetUpChecked": 1})
    except NotTakenError as error:
        return [Check("metrics", "not ok", str(error))]
    return [Check("metrics", "ok", f"CloudWatch takes metrics of namespace {settings.metrics_namespace}")]


@contextmanager
def _as_a_warning() -> Iterator[None]:
    try:
        yield
    except NotTakenError as error:
        log.warning("%s", error)


def _write(
    settings: RunSettings, monitor: str, run_type: str, values: Mapping[str, int], at: datetime | None = None
) -> None:
    """Write these metrics. Raises NotTakenError where CloudWatch does not take them."""
    namespace = settings.metrics_namespace
    if namespace is None or settings.dry_run:
        return
    dimensions = [{"Name": "Monitor", "Value": monitor}, {"Name": "RunType", "Value": run_type}]
    data = [
        {"MetricName": name, "Value": value, "Unit": "Count", "Dimensions": dimensions}
        | ({"Timestamp": at} if at else {})
        for name, value in values.items()
    ]
    try:
        _cloudwatch(settings.aws_conn_id).put_metric_data(Namespace=namespace, MetricData=data)
    except Exception as error:
        what = " and ".join(values)
        raise NotTakenError(
            f"CloudWatch did not take {what} of namespace {namespace}: the role needs cloudwatch:PutMetricData there, "
            f"and the network a way to it ({type(error).__name__}: {error})"
        ) from error


def _cloudwatch(aws_conn_id: str) -> Any:
    own = AwsBaseHook(aws_conn_id).conn_config.botocore_config  # such as a proxy
    return AwsBaseHook(aws_conn_id, client_type="cloudwatch", config=own.merge(_PATIENCE) if own else _PATIENCE).conn
