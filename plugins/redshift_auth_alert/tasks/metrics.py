"""The metrics of a run: that it evaluated its interval or failed, which alarms watch, and what it found."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.settings.model import RunSettings

log = logging.getLogger(__name__)

# The task waits for this, so it gives up soon where CloudWatch cannot be reached.
_PATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


def measures(verdict: Verdict) -> dict[str, int]:
    """Return ``Failures`` (all of the interval) and ``BreachingGroups`` (without the ignored ones)."""
    totals = verdict.totals
    return {"Failures": verdict.failures, "BreachingGroups": totals.reported + totals.held_back}


def write_metrics(found: Mapping[str, int], run: Evaluation) -> None:
    """Write what was ``found``, where the monitor names a namespace. A dry run writes nothing, as it reports nothing.

    Call it once everything is reported: ``IntervalsEvaluated`` says just that, at the time of writing. What was found
    counts at the interval's start. An error is a warning in the log: the missing metric raises the alarm.
    """
    if _write(run.settings, run.monitor, run.run_type, {"IntervalsEvaluated": 1}):
        # Separately: CloudWatch refuses points older than two weeks, such as those of a backfill.
        _write(run.settings, run.monitor, run.run_type, found, at=run.interval.start)


def write_failed(settings: RunSettings, monitor: str, run_type: str) -> None:
    """Write ``IntervalsFailed`` at each attempt to report a failure: its alarm works where the topic does not."""
    _write(settings, monitor, run_type, {"IntervalsFailed": 1})


def _write(
    settings: RunSettings, monitor: str, run_type: str, values: Mapping[str, int], at: datetime | None = None
) -> bool:
    """Write these metrics; return whether CloudWatch took them."""
    namespace = settings.metrics_namespace
    if namespace is None or settings.dry_run:
        return False
    dimensions = [{"Name": "Monitor", "Value": monitor}, {"Name": "RunType", "Value": run_type}]
    data = [
        {"MetricName": name, "Value": value, "Unit": "Count", "Dimensions": dimensions}
        | ({"Timestamp": at} if at else {})
        for name, value in values.items()
    ]
    try:
        _cloudwatch(settings.aws_conn_id).put_metric_data(Namespace=namespace, MetricData=data)
    except Exception as error:
        log.warning(
            "CloudWatch did not take %s of namespace %s: the role needs cloudwatch:PutMetricData there, and the "
            "network a way to it (%s: %s)",
            " and ".join(values),
            namespace,
            type(error).__name__,
            error,
        )
        return False
    return True


def _cloudwatch(aws_conn_id: str) -> Any:
    own = AwsBaseHook(aws_conn_id).conn_config.botocore_config  # such as a proxy
    return AwsBaseHook(aws_conn_id, client_type="cloudwatch", config=own.merge(_PATIENCE) if own else _PATIENCE).conn
