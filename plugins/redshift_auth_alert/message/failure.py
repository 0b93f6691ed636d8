"""What a failure says, whatever its form: which interval was not evaluated or reported, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.alert import identify, write_subject
from redshift_auth_alert.settings.monitors import Monitor

REASON_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Failure:
    """That an interval was not evaluated or reported; ``run`` is None where the run's settings are invalid.

    ``missing`` spans all that failed since a run succeeded, where that is more than this run's interval.
    """

    subject: str
    attributes: Mapping[str, str | int]
    run: Evaluation | None
    run_id: str
    task_id: str
    reason: str
    missing: Interval | None
    warehouse: str | None
    run_url: str | None

    @property
    def opening(self) -> str:
        """Say what is missing: the evaluation, or its alert."""
        if self.run and self.run.settings.check_only:
            return "The set-up was not checked, or the message about it was not published."
        if self.task_id == "require_coverage":
            return "An interval was evaluated and reported, but not for all warehouses: the others may hide an attack."
        if self.task_id == "publish_alert":
            return "An interval was evaluated, but its message was not published: it may be an alert."
        return "An interval was not evaluated: it may hide an attack."

    @property
    def what_to_do(self) -> str:
        """Say how the interval is evaluated after all."""
        if self.run is None:
            return "Trigger a new run with valid overrides. Clearing this run would fail again."
        if self.run.skipped:
            return (
                "To evaluate these intervals, run a backfill over their dates, or trigger one run with this start and "
                "end. Clearing this run would fail again."
            )
        if self.task_id == "publish_alert":
            return "Once fixed, clear publish_alert. It then publishes the same alert."
        if self.task_id == "require_coverage":
            return (
                "Once fixed, clear query_auth_failures and all tasks after it. The run then evaluates the same "
                "interval for all warehouses, and publishes again what it published."
            )
        if self.missing:
            return "Once fixed, clear the failed tasks of all runs that failed."
        return "Once fixed, clear the failed task. The run then evaluates the same interval."


def build_failure(
    monitor: Monitor,
    run: Evaluation | None,
    run_id: str,
    task_id: str,
    reason: object,
    *,
    missing: Interval | None = None,
    warehouse: str | None = None,
    run_url: str | None = None,
) -> Failure:
    """Return the failure of ``task_id``; ``run`` is None where the run's settings are invalid."""
    settings = (run or monitor).settings
    attributes: dict[str, str | int] = {
        "monitor": monitor.dag_id,
        "environment": settings.environment,
        "severity": "failed",
        "alert_id": identify(monitor.dag_id, "failed", run_id, task_id),
    }
    what = {"publish_alert": "alert not published", "require_coverage": "not all warehouses evaluated"}.get(
        task_id, "sign-ins not evaluated"
    )
    if run and run.settings.check_only:
        what = "set-up not checked"
    subject = write_subject("failed", settings.environment, warehouse, what)
    more = missing if run and missing != run.interval else None
    return Failure(subject, attributes, run, run_id, task_id, str(reason)[:REASON_LIMIT], more, warehouse, run_url)
