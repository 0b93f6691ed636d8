"""What was reported of a monitor's failures: so that one cause is reported once an hour, and that it works again.

Runs side by side cannot see each other's reason, so it lies in an Airflow Variable for each monitor and type of run,
which they change in turns. A person waits for each manual run, so those are always reported and leave no record.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Variable

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval, format_utc
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.tasks.turn import turn, variable_key
from redshift_auth_alert.tasks.versions import AirflowFailException

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(hours=1)
# A backfill ends, so the next one has nothing to do with what failed long before.
_BACKFILL_KEPT = timedelta(days=1)
_LONGEST_CAUSE = 200
# A time, a count or a number of a process. Not a digit of a name such as prod-1, nor how many warehouses of a fleet.
_NUMBER = re.compile(r"(?<![\w.-])\d[\d,:-]*(T[\d:]+)?(\.\d+)?(Z|[+-]\d\d:\d\d)?(?![\w-]|\.\w| of \d)")


@dataclass(frozen=True)
class _Record:
    """When each cause was reported; ``missing`` spans all intervals that failed since a run succeeded.

    ``taken`` is what each run that succeeded is about to report as missing.
    """

    key: str
    reported: dict[str, datetime] = field(default_factory=dict)
    missing: Interval | None = None
    taken: dict[str, Interval] = field(default_factory=dict)

    def save(self) -> None:
        """Keep the record for the runs to come, while there is anything in it."""
        if not (self.reported or self.missing or self.taken):
            Variable.delete(self.key)
            return
        record = {
            "missing": self.missing and _ends(self.missing),
            "reported": {cause: at.isoformat() for cause, at in self.reported.items()},
            "taken": {run_id: _ends(missing) for run_id, missing in self.taken.items()},
        }
        Variable.set(self.key, json.dumps(record), description="Failures of a monitor, until it works again")


def add_failure(run: Evaluation, cause: str) -> Interval | None:
    """Return what is missing with the interval of ``run``, which failed for this ``cause``; None if it has no record.

    Call ``keep_reported`` once that is reported. Where the cause was reported within the hour, keep the interval and
    raise AirflowFailException.
    """
    key = _key(run)
    if key is None:
        return None
    with turn(f"{key}_turn"):
        before = _load(key, run)
        record = _given_back(before, run)
        missing = _span(record.missing, run.interval)
        reported = record.reported.get(cause)
        if reported and datetime.now(UTC) - reported >= AGAIN_AFTER:
            reported = None
        if reported:
            record = replace(record, missing=missing)
        if record != before:
            record.save()
    if reported:
        raise AirflowFailException(
            f"not published, as the same cause was reported at {format_utc(reported)} UTC. The next report, or the "
            f"message that it works again, names all that is missing: {missing}"
        )
    return missing


def keep_reported(run: Evaluation, cause: str) -> None:
    """Keep that it is reported that ``run`` failed for this ``cause``, beside what others have kept meanwhile."""
    key = _key(run)
    if key is None:
        return
    with turn(f"{key}_turn"):
        record = _load(key, run)
        reported = record.reported | {cause: datetime.now(UTC)}
        replace(record, reported=reported, missing=_span(record.missing, run.interval)).save()


def take_missing(run: Evaluation) -> Interval | None:
    """Return what is missing, for ``run``, which succeeded, to report; no other run gets it.

    This one gets it again if it is tried again. Call ``forget_missing`` once it is reported.
    """
    key = _key(run)
    if key is None:
        return None
    record = _load(key, run)
    if record.missing is None and run.run_id not in record.taken:  # as nearly always
        return None
    with turn(f"{key}_turn"):
        record = _load(key, run)
        missing = _span(record.taken.get(run.run_id), record.missing)
        if missing:
            _Record(key, taken=record.taken | {run.run_id: missing}).save()
    return missing


def give_back_missing(run: Evaluation) -> None:
    """Leave what ``run`` has taken in an earlier try to another run, as it can no longer say that it works again."""
    key = _key(run)
    if key is None or run.run_id not in _load(key, run).taken:
        return
    with turn(f"{key}_turn"):
        _given_back(_load(key, run), run).save()


def forget_missing(run: Evaluation) -> None:
    """Forget what ``run`` has taken, as it is reported."""
    key = _key(run)
    if key is None or run.run_id not in _load(key, run).taken:
        return
    with turn(f"{key}_turn"):
        record = _load(key, run)
        replace(record, taken={each: of for each, of in record.taken.items() if each != run.run_id}).save()


def cause_of(task_id: str, reason: str, topic: str) -> str:
    """Return what failures of one cause share: the reason without numbers, and without the details that follow it."""
    text = _NUMBER.sub("#", re.split(r"; | \(", reason)[0])
    if len(text) > _LONGEST_CAUSE:  # the names at the end count too
        text = f"{text[:_LONGEST_CAUSE]} {hashlib.sha256(text.encode()).hexdigest()}"
    return f"{task_id} {topic} {text}"


def _given_back(record: _Record, run: Evaluation) -> _Record:
    taken = dict(record.taken)
    return replace(record, missing=_span(record.missing, taken.pop(run.run_id, None)), taken=taken)


def _key(run: Evaluation) -> str | None:
    """Return the record's key; None for runs that leave none: manual ones, and skipped intervals."""
    if run.run_type not in ("scheduled", "backfill") or run.skipped:
        return None
    return variable_key("failed", f"{run.monitor}_{run.run_type}")


def _load(key: str, run: Evaluation) -> _Record:
    stored = Variable.get(key, default=None)
    if stored is None:
        return _Record(key)
    try:
        record = _parse(key, json.loads(stored))
    except (ValueError, TypeError, LookupError, AttributeError, AlertError):
        log.warning("The Airflow Variable %s is no record of failures: it counts as empty", key)
        return _Record(key)
    ended = run.run_type == "backfill" and record.reported
    if ended and datetime.now(UTC) - max(record.reported.values()) > _BACKFILL_KEPT:
        return _Record(key, taken=record.taken)
    return record


def _parse(key: str, stored: Any) -> _Record:
    return _Record(
        key,
        {cause: datetime.fromisoformat(at).astimezone(UTC) for cause, at in stored["reported"].items()},
        stored["missing"] and _interval(stored["missing"]),
        {run_id: _interval(ends) for run_id, ends in stored.get("taken", {}).items()},
    )


def _interval(ends: list[str]) -> Interval:
    return Interval(*map(datetime.fromisoformat, ends))


def _ends(interval: Interval) -> list[str]:
    return [interval.start.isoformat(), interval.end.isoformat()]


def _span(*intervals: Interval | None) -> Interval | None:
    """Return the interval from the first start to the last end; None where there is none."""
    given = [interval for interval in intervals if interval]
    if not given:
        return None
    return Interval(min(each.start for each in given), max(each.end for each in given))
