"""What was reported of a monitor's failures: so that one cause is reported once an hour, and that it works again.

Runs side by side cannot see each other's reason, so it lies in an Airflow Variable for each monitor and type of run.
Airflow runs one ``report_failure`` of a DAG at a time, and of the runs that succeed one takes the record away. A person
waits for each manual run, so those are always reported and leave no record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval, format_utc
from redshift_auth_alert.tasks.turn import turn, variable_key
from redshift_auth_alert.tasks.versions import AirflowFailException

AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Record:
    """When each cause was reported; ``missing`` spans all intervals that failed since a run succeeded."""

    key: str
    reported: dict[str, datetime] = field(default_factory=dict)
    missing: Interval | None = None

    def failed(self, cause: str, interval: Interval) -> Record:
        """Return the record to be saved once it is reported that ``interval`` failed for this ``cause``.

        Where that was reported within the hour, add the interval and raise AirflowFailException.
        """
        before = self.missing or interval
        missing = Interval(min(before.start, interval.start), max(before.end, interval.end))
        now, last = datetime.now(UTC), self.reported.get(cause)
        if last and now - last < AGAIN_AFTER:
            replace(self, missing=missing).save()
            raise AirflowFailException(
                f"not published, as the same cause was reported at {format_utc(last)} UTC. The next report, or the "
                f"message that it works again, names all that is missing: {missing}"
            )
        return replace(self, reported=self.reported | {cause: now}, missing=missing)

    def save(self) -> None:
        """Keep the record for the runs to come."""
        missing = self.missing and [self.missing.start.isoformat(), self.missing.end.isoformat()]
        record = {"missing": missing, "reported": {cause: at.isoformat() for cause, at in self.reported.items()}}
        Variable.set(self.key, json.dumps(record), description="Failures of a monitor, until it works again")


def load_record(run: Evaluation) -> Record | None:
    """Return the record of runs such as ``run``; None for those that leave none: manual ones, and skipped intervals."""
    if run.run_type not in ("scheduled", "backfill") or run.skipped:
        return None
    return _load(variable_key("failed", f"{run.monitor}_{run.run_type}"))


@contextmanager
def taken_record(run: Evaluation) -> Iterator[Interval | None]:
    """Give what is missing to one run that succeeded, and remove the record once that run's message is kept."""
    record = load_record(run)
    if record is None or record.missing is None:  # as nearly always
        yield None
        return
    with turn(f"{record.key}_turn"):
        missing = _load(record.key).missing
        yield missing
        if missing:
            Variable.delete(record.key)


def _load(key: str) -> Record:
    stored = json.loads(Variable.get(key, default=None) or '{"reported": {}, "missing": null}')
    reported = {cause: datetime.fromisoformat(at) for cause, at in stored["reported"].items()}
    missing = stored["missing"] and Interval(*map(datetime.fromisoformat, stored["missing"]))
    return Record(key, reported, missing)


def cause_of(task_id: str, reason: str, topic: str) -> str:
    """Return what failures of one cause share: the reason without numbers, and without the details that follow it."""
    return f"{task_id} {topic} " + re.sub(r"\d+", "#", re.split(r"; | \(", reason)[0])[:200]
