"""What a check of the set-up says, whatever its form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.message.alert import identify, write_subject

Outcome = Literal["ok", "not ok", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check; ``says`` is what was found and, where that is not ok, what to do."""

    name: str
    outcome: Outcome
    says: str


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What all checks of a run found."""

    subject: str
    attributes: Mapping[str, str | int]
    run: Evaluation
    checks: Sequence[Check]

    @property
    def opening(self) -> list[str]:
        """Say in two sentences what this is and how it went."""
        return [
            "This is a test: the set-up was checked, and no interval was evaluated.",
            f"{_numbers(self.checks)[0].upper()}{_numbers(self.checks)[1:]}.",
        ]


def build_setup_report(checks: Sequence[Check], run: Evaluation) -> SetupReport:
    """Return the report of these checks."""
    attributes: dict[str, str | int] = {
        "monitor": run.monitor,
        "environment": run.settings.environment,
        "severity": "test",
        "run_type": run.run_type,
        "alert_id": identify(run.monitor, "test", run.run_id),
    }
    subject = write_subject("test", run.settings.environment, run.warehouse, f"set-up: {_numbers(checks)}")
    return SetupReport(subject, attributes, run, checks)


def _numbers(checks: Sequence[Check]) -> str:
    """Count the checks by outcome."""
    numbers = Counter(check.outcome for check in checks)
    if numbers["not ok"] or numbers["not checked"]:
        outcomes = [outcome for outcome in get_args(Outcome) if numbers[outcome]]
        return ", ".join(f"{numbers[outcome]} {outcome}" for outcome in outcomes)
    return f"all {numbers['ok']} checks ok"
