"""What a failure says, whatever its form: which interval was not evaluated or reported, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import MAX_RANGE, Interval
from redshift_auth_alert.message.advice import RUNBOOK
from redshift_auth_alert.message.alert import identify, write_subject
from redshift_auth_alert.settings.monitors import Monitor

REASON_LIMIT = 2_000
_IN_A_BACKFILL = (
    " Other runs of this backfill may fail for the same reason. They are not reported one by one; clear them too."
)


class _Wording(NamedTuple):
    """What is missing, for the subject and in a sentence, and how to get it after all."""

    subject: str
    opening: str
    what_to_do: str


# Whichever task failed, the query reads the log anew: what is fixed may be what it showed.
_NOT_EVALUATED = _Wording(
    "sign-ins not evaluated",
    "An interval was not evaluated: it may hide an attack.",
    "Once fixed, clear query_auth_failures and the tasks after it. The run then evaluates the same interval.",
)
_OF_TASKS = {
    "publish_alert": _Wording(
        "alert not published",
        "A message could not be published. It may report an attack.",
        "Once fixed, clear publish_alert. It then publishes the same alert.",
    ),
    "require_coverage": _Wording(
        "not all warehouses evaluated",
        "An interval was evaluated and reported, but not for all warehouses: the others may hide an attack.",
        "Once fixed, clear query_auth_failures and all tasks after it. The run then evaluates the same interval for "
        "all warehouses, and publishes again what it published.",
    ),
}
_OF_A_CHECK = _Wording(
    "set-up not checked",
    "The set-up was not checked, or the message about it was not published.",
    "Once fixed, clear query_auth_failures and the tasks after it. The run then checks the set-up again.",
)
# What to do instead, where clearing these tasks would not do.
_INVALID = "Trigger a new run with valid overrides. Clearing this run would fail again."
_SKIPPED = (
    "To evaluate these intervals, run a backfill over their dates, or trigger one run with this start and end. "
    "Clearing this run would fail again."
)
_SKIPPED_LONG = (
    f"To evaluate these intervals, run a backfill over their dates; one run evaluates at most {MAX_RANGE.days} days. "
    "Clearing this run would fail again."
)
_SEVERAL = "Once fixed, clear query_auth_failures and the tasks after it, in all runs that failed."


@dataclass(frozen=True, slots=True)
class Failure:
    """That an interval was not evaluated or reported; ``run`` is None where the run's settings are invalid.

    ``missing`` spans all that failed since a run succeeded, where that is more than this run's interval.
    """

    subject: str
    opening: str
    what_to_do: str
    attributes: Mapping[str, str | int]
    run: Evaluation | None
    run_id: str
    task_id: str
    reason: str
    missing: Interval | None
    warehouse: str | None
    run_url: str | None

    @property
    def runbook(self) -> str:
        """Where the runbook says more."""
        return f"{RUNBOOK}#failed"


def build_failure(
    monitor: Monitor,
    run: Evaluation | None,
    run_id: str,
    task_id: str,
    reason: object,
    *,
    missing: Interval | None,
    warehouse: str | None,
    run_url: str | None,
) -> Failure:
    """Return the failure of ``task_id``; ``run`` is None where the run's settings are invalid."""
    settings = (run or monitor).settings
    missing = missing if run and missing != run.interval else None
    wording = _choose(run, task_id, missing)
    attributes: dict[str, str | int] = {
        "monitor": monitor.dag_id,
        "environment": settings.environment,
        "severity": "failed",
        "alert_id": identify(monitor.dag_id, "failed", run_id, task_id),
    }
    return Failure(
        subject=write_subject("failed", settings.environment, warehouse, wording.subject),
        opening=wording.opening + (_IN_A_BACKFILL if run and run.run_type == "backfill" else ""),
        what_to_do=wording.what_to_do,
        attributes=attributes,
        run=run,
        run_id=run_id,
        task_id=task_id,
        reason=str(reason)[:REASON_LIMIT],
        missing=missing,
        warehouse=warehouse,
        run_url=run_url,
    )


def _choose(run: Evaluation | None, task_id: str, missing: Interval | None) -> _Wording:
    wording = _OF_A_CHECK if run and run.settings.check_only else _OF_TASKS.get(task_id, _NOT_EVALUATED)
    if run is None:
        return wording._replace(what_to_do=_INVALID)
    if run.skipped:
        is_long = run.interval.end - run.interval.start > MAX_RANGE
        return wording._replace(what_to_do=_SKIPPED_LONG if is_long else _SKIPPED)
    return wording._replace(what_to_do=_SEVERAL) if missing and wording is _NOT_EVALUATED else wording
