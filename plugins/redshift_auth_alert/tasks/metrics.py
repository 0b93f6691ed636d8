"""What a run tells CloudWatch: that it has evaluated its interval, so that an alarm can miss it, and what it found."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from redshift_auth_alert.detection.evaluation import Evaluation

if TYPE_CHECKING:
    from redshift_auth_alert.detection.judge import Verdict  # and with it pandas, which publish_alert does without

log = logging.getLogger(__name__)

# The task waits for this, so where CloudWatch cannot be reached it is not waited for long.
_PATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


def measures(verdict: Verdict) -> dict[str, int]:
    """Return ``Failures`` (all of the interval) and ``BreachingGroups`` (without the ignored ones)."""
    return {"Failures": verdict.failures, "BreachingGroups": verdict.new_groups + verdict.ongoing_groups}


def write_metrics(found: Mapping[str, int], run: Evaluation) -> None:
    """Write what was ``found``, where the monitor names a namespace; nothing for a dry run, which tells nobody.

    To be called once all that is to be told is told: that is what ``IntervalsEvaluated`` says, at the time of writing.
    What was found counts at the interval's start. An error is a warning in the log, as the metric that then is missing
    raises the alarm.
    """
    namespace = run.settings.metrics_namespace
    if namespace is None or run.settings.dry_run:
        return
    writes = [
        [_datum("IntervalsEvaluated", 1, run)],
        # Apart, as CloudWatch refuses what is more than two weeks old, such as the intervals of a backfill.
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
