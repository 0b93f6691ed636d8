"""What a run tells CloudWatch: that it has evaluated its interval, so that an alarm can miss it, and what it found."""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from redshift_auth_alert.breaches import Verdict
from redshift_auth_alert.evaluation import Evaluation

log = logging.getLogger(__name__)

# An alert waits for this, so where CloudWatch cannot be reached it is not waited for long.
_PATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


def write_metrics(verdict: Verdict, run: Evaluation) -> None:
    """Write the metrics of a run whose interval was seen, where the monitor names a namespace.

    ``IntervalsEvaluated`` counts at the time of writing, as it tells that runs go on; ``Failures`` (all of the
    interval) and ``BreachingGroups`` (without the ignored ones) at the interval's start. An error is a warning in the
    log: it keeps no alert back, and the metric that then is missing raises the alarm.
    """
    namespace = run.settings.metrics_namespace
    if namespace is None or verdict.coverage.verdict == "unseen":
        return
    found = {"Failures": verdict.failures, "BreachingGroups": verdict.new_groups + verdict.ongoing_groups}
    writes = [
        [_datum("IntervalsEvaluated", 1, run)],
        # Apart, as CloudWatch refuses what is more than two weeks old, such as the intervals of a backfill.
        [_datum(name, value, run) | {"Timestamp": run.interval.start} for name, value in found.items()],
    ]
    for data in writes:
        names = " and ".join(datum["MetricName"] for datum in data)
        try:
            cloudwatch = AwsBaseHook(run.settings.aws_conn_id, client_type="cloudwatch", config=_PATIENCE).conn
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
        except Exception as error:
            log.warning(
                "CloudWatch did not take %s of namespace %s: the role needs cloudwatch:PutMetricData there, and the "
                "network a way to it (%s: %s)",
                names,
                namespace,
                type(error).__name__,
                error,
            )


def _datum(name: str, value: int, run: Evaluation) -> dict[str, Any]:
    dimensions = {"Monitor": run.monitor, "RunType": run.run_type}
    return {
        "MetricName": name,
        "Value": value,
        "Unit": "Count",
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
