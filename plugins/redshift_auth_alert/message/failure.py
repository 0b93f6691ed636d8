"""What a failure says, whatever its form: which interval was not evaluated or reported, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.message.alert import identify, write_subject
from redshift_auth_alert.settings.monitors import Monitor

REASON_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Failure:
    """That an interval was not evaluated or reported; ``run`` is None where the run's settings are invalid."""

    subject: str
    attributes: Mapping[str, str | int]
    run: Evaluation | None
    run_id: str
    task_id: str
    reason: str

    @property
    def opening(self) -> str:
        """Say what is missing: the evaluation, or its alert."""
        if self.task_id == "publish_alert":
            return "An interval was evaluated, but its alert was not published: somebody may have breached."
        return "An interval was not evaluated. This does not mean that nobody breached."

    @property
    def what_to_do(self) -> str:
        """Say how the interval is evaluated after all."""
        if self.run is None:
            return "Trigger a new run with valid overrides. Clearing this run would fail again."
        if self.task_id == "publish_alert":
            return "Once fixed, clear publish_alert. It then publishes the same alert."
        return "Once fixed, clear the failed task. The run then evaluates the same interval."


def build_failure(monitor: Monitor, run: Evaluation | None, run_id: str, task_id: str, reason: object) -> Failure:
    """Return the failure of ``task_id``; ``run`` is None where the run's settings are invalid."""
    settings = (run or monitor).settings
    attributes: dict[str, str | int] = {
        "monitor": monitor.dag_id,
        "environment": settings.environment,
        "severity": "failed",
        "alert_id": identify(monitor.dag_id, "failed", run_id, task_id),
    }
    what = "alert not published" if task_id == "publish_alert" else "not evaluated"
    subject = write_subject("failed", settings.environment, what)
    return Failure(subject, attributes, run, run_id, task_id, str(reason)[:REASON_LIMIT])
