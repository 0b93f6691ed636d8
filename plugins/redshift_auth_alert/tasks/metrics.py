"""The metrics of a run: that it evaluated its interval, so that an alarm notices a missing one, and what it found."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict

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
    namespace = run.settings.metrics_namespace
    if namespace is None or run.settings.dry_run:
        return
    writes = [
        [_datum("IntervalsEvaluated", 1, run)],
        # Separately: CloudWatch refuses points older than two weeks, such as those of a backfill.
        [_datum(name, value, run) | {"Timestamp": run.interval.start} for name, value in found.items()],
    ]
    for data in writes:
        names = " and ".join(datum["MetricName"] for datum in data)
        try:
            _cloudwatch(run.settings.aws_conn_id).put_metric_data(Namespace=namespace, MetricData=data)
        except Exception as error:
            log.warning(
                "CloudWatch did not take %s of namespace %s: the role needs cloudwatch:PutMetricData there, and the "
                "network a way to it (%s: %s)",
                names,
                namespace,
                type(error).__name__,
                error,
            )
            return


def _cloudwatch(aws_conn_id: str) -> Any:
    own = AwsBaseHook(aws_conn_id).conn_config.botocore_config  # such as a proxy
    return AwsBaseHook(aws_conn_id, client_type="cloudwatch", config=own.merge(_PATIENCE) if own else _PATIENCE).conn


def _datum(name: str, value: int, run: Evaluation) -> dict[str, Any]:
    dimensions = {"Monitor": run.monitor, "RunType": run.run_type}
    return {
        "MetricName": name,
        "Value": value,
        "Unit": "Count",
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
