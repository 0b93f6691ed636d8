"""What an alert says, whatever its form: subject, attributes, and the groups that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Totals, Verdict
from redshift_auth_alert.message.words import count_groups, locked_out

SUBJECT_LIMIT = 99  # SNS takes less than 100 characters


@dataclass(frozen=True, slots=True)
class Message:
    """What is published: subject (ASCII, at most 99 characters), body, and attributes that subscriptions filter by."""

    subject: str
    body: str
    attributes: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert or a closing message says. A group that is ``named`` without details gets one line."""

    subject: str
    attributes: Mapping[str, str | int]
    verdict: Verdict
    run: Evaluation
    named: tuple[Breach, ...]

    @property
    def reported(self) -> tuple[Breach, ...]:
        """The named groups that breach."""
        return tuple(each for each in self.named if each.outcome == "reported")

    @property
    def over(self) -> tuple[Breach, ...]:
        """The named groups that are over."""
        return tuple(each for each in self.named if each.outcome == "over")

    @property
    def unnamed(self) -> int:
        """How many groups that breach were judged but are not named."""
        return self.verdict.totals.reported - self.verdict.totals.unjudged - len(self.reported)

    @property
    def unnamed_over(self) -> int:
        """How many groups that are over are not named."""
        return self.verdict.totals.over - len(self.over)


def is_critical(found: Breach | Totals) -> bool:
    """Return whether the severity is critical: a group got in (``critical``), or tried an admin."""
    return bool(found.critical or found.admin)


def build_alert(verdict: Verdict, run: Evaluation) -> Alert:
    """Return the alert for ``verdict``.

    Where no group breaches, it is the closing message of those that are over, or says that only a part was seen, or
    that a run succeeded after others had failed. Anything else is quiet and not published.
    """
    totals = verdict.totals
    if totals.reported:
        severity = "critical" if is_critical(totals) else "alert"
        says = _whats(totals, run)
    elif totals.over:
        severity, says = "over", [f"{count_groups(totals.over, run)} quiet again"]
    elif verdict.coverage.verdict == "partial":
        severity, says = "partial", ["interval only partly seen"]
    elif run.missing:
        severity, says = "recovered", ["evaluated again"]
    else:  # not published: the groups are held back or ignored
        severity, says = "quiet", ["nothing to report"]
    attributes: dict[str, str | int] = {
        "monitor": run.monitor,
        "environment": run.settings.environment,
        "severity": severity,
        "run_type": run.run_type,
        "new_groups": totals.new,
        "ongoing_groups": totals.ongoing,
        "alert_id": identify(run.monitor, severity, run.run_id, str(run.interval)),
    }
    named = verdict.having("reported", "over")
    in_full, others = named[: run.settings.max_groups], named[run.settings.max_groups :]
    return Alert(
        subject=write_subject(severity, run.settings.environment, run.warehouse, *says),
        attributes=attributes,
        verdict=verdict,
        run=run,
        named=in_full + tuple(replace(each, details=None) if each.details else each for each in others),
    )


def _whats(totals: Totals, run: Evaluation) -> list[str]:
    """Say how many groups did what, the worst first; then the same without who may be locked out."""
    groups = count_groups(totals.reported, run)
    facts = {
        "GOT IN": totals.critical,
        "tried an admin": totals.admin,
        locked_out(run): totals.lockouts,
    }
    parts: list[str] = []
    for did, number in facts.items():
        if number and not parts:
            parts.append(f"{'' if number == totals.reported else f'{number:,} of '}{groups} {did}")
        elif number:
            parts.append(did if totals.reported == 1 else f"{number:,} {did}")
    shorter = parts[:-1] if totals.lockouts and len(parts) > 1 else parts
    return [", ".join(each) for each in (parts, shorter)] if parts else [f"{groups} failed to sign in"]


def write_subject(severity: str, environment: str, warehouse: str | None, *says: str) -> str:
    """Write the subject of an alert or a failure: the first of what it ``says`` that fits, else the last.

    Then the name of the environment is cut as far as that takes, and after it the warehouse's.
    """
    place = warehouse or "Redshift"
    for what in says:
        subject = f"[{severity.upper()}] ({environment}) {place}: {what}"
        if len(subject) <= SUBJECT_LIMIT:
            return subject
    environment = _cut(environment, len(subject) - SUBJECT_LIMIT)
    subject = f"[{severity.upper()}] ({environment}) {place}: {says[-1]}"
    place = _cut(place, len(subject) - SUBJECT_LIMIT)
    return f"[{severity.upper()}] ({environment}) {place}: {says[-1]}"[:SUBJECT_LIMIT]


def _cut(name: str, excess: int) -> str:
    """Shorten a name by ``excess`` characters, but to no less than four of them and two dots."""
    kept = max(len(name) - excess - 2, 4)
    return name if excess <= 0 or kept + 2 >= len(name) else f"{name[:kept]}.."


def identify(*facts: Any) -> str:
    """Return the ``alert_id`` of these facts: the same for a retry, so that a consumer can drop repeats."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:32]
