"""Which alarms watch the monitors: what the stacks of deploy/template.yaml are to be given for them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

from croniter import croniter

from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.settings.monitors import DAG_ID, Monitor

ALARMS = 450  # of the 500 resources of a stack; the others are the template's own
_BYTES = 4096  # of a parameter's value
_LONGEST = 302_400  # seconds: CloudWatch looks back 7 days at most, and the alarm looks at two intervals
_SOON = timedelta(days=3)  # so long an alarm may be on before a monitor starts


def watched_by(monitors: Iterable[Monitor]) -> str:
    """Return the parameters of each stack that the ``monitors`` need, ready to paste, and which of them get no alarm.

    ``ScheduleSeconds`` is the length that most of a namespace's monitors have; the others bring theirs.
    """
    lines, entries = [], defaultdict(list)
    for monitor in monitors:
        name, namespace = _name(monitor.dag_id), monitor.settings.metrics_namespace
        seconds, start = _longest_interval(monitor.settings.schedule), monitor.settings.start_date
        if namespace is None:
            why = "it sends no metrics; set metrics_namespace."
        elif monitor.settings.dry_run:
            why = "its runs are dry, so they send no metrics; remove dry_run."
        elif start > datetime.now(UTC) + _SOON:
            why = f"it starts at {format_utc(start)} UTC; deploy again then."
        elif seconds > _LONGEST:
            why = "its schedule pauses for more than 3.5 days."
        else:
            entries[namespace].append((name, seconds))
            continue
        lines.append(f"No alarm watches {name}: {why}")
    stacks = []
    for namespace, found in sorted(entries.items()):
        usual = Counter(seconds for _, seconds in found).most_common(1)[0][0]
        listed = [name if seconds == usual else f"{name}:{seconds}" for name, seconds in found]
        same = f"MetricNamespace={namespace} ScheduleSeconds={usual} Monitors="
        stacks += [same + ",".join(part) for part in _parts(listed)]
    if len(stacks) > 1:
        lines.append(
            f"One stack cannot watch them all: create {len(stacks)}, each with one of these lines. A stack takes "
            f"{ALARMS} monitors, {_BYTES} bytes of names, one metrics_namespace, "
            "and no two names that differ in punctuation alone."
        )
    heading = "Parameters of deploy/template.yaml for alarms on these monitors:"
    return "\n".join([*([heading] * bool(stacks)), *(f"  {stack}" for stack in stacks), *lines])


def _name(dag_id: str) -> str:
    return "default" if dag_id == DAG_ID else dag_id.removeprefix(f"{DAG_ID}__")


def _parts(entries: Iterable[str]) -> list[list[str]]:
    """Put each entry into the first list that has room, and none that differs from it in punctuation alone."""
    parts: list[list[str]] = []
    for entry in entries:
        for part in parts:
            fits = len(part) < ALARMS and len(",".join([*part, entry])) <= _BYTES
            if fits and _logical_id(entry) not in map(_logical_id, part):
                part.append(entry)
                break
        else:
            parts.append([entry])
    return parts


def _logical_id(entry: str) -> str:
    """Return what CloudFormation keeps of an entry in an alarm's logical id."""
    return re.sub(r"[^A-Za-z0-9]", "", entry)


@cache
def _longest_interval(schedule: str) -> int:
    """Return the seconds of a cron expression's longest interval, of five weeks and of those that end a month."""
    longest = 0.0
    for month in range(1, 13):  # a schedule may leave some out
        begin = datetime(2025, month, 1, tzinfo=UTC)
        end = (begin + timedelta(weeks=5 if month == 1 else 0)).timestamp()
        times = croniter(schedule, begin)
        ticks: list[float] = [times.get_prev(float)]
        while ticks[-1] < end:
            ticks.append(times.get_next(float))
        longest = max(longest, *(later - earlier for earlier, later in pairwise(ticks)))
    return round(longest)
