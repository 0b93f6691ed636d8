"""What an alert says, whatever its form: subject, attributes, and the groups that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Verdict
from redshift_auth_alert.message.words import count_groups

SUBJECT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Message:
    """What is published: subject (ASCII, at most 100 characters), body, and attributes that subscriptions filter by."""

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


def build_alert(verdict: Verdict, run: Evaluation) -> Alert:
    """Return the alert for ``verdict``.

    Where no group breaches, it is the closing message of those that are over, or says that only a part was seen.
    """
    totals = verdict.totals
    if totals.reported:
        severity = "critical" if totals.critical else "alert"
        what = count_groups(totals.reported, run)
    elif totals.over:
        severity, what = "over", f"{count_groups(totals.over, run)} quiet again"
    else:
        severity, what = "partial", "interval only partly seen"
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
        subject=write_subject(severity, run.settings.environment, what),
        attributes=attributes,
        verdict=verdict,
        run=run,
        named=in_full + tuple(replace(each, details=None) if each.details else each for each in others),
    )


def write_subject(severity: str, environment: str, what: str) -> str:
    """Write the subject of an alert or a failure."""
    return f"[{severity.upper()}] ({environment}) Redshift authentication failures: {what}"[:SUBJECT_LIMIT]


def identify(*facts: Any) -> str:
    """Return the ``alert_id`` of these facts: the same for a retry, so that a consumer can drop repeats."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:32]
