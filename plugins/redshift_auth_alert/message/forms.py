"""The forms of a message: each module writes the body of an Alert by ``write``, of a Failure by ``write_failure``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pandas comes with it, and the failure callback writes its message without
    from redshift_auth_alert.detection.evaluation import Evaluation
    from redshift_auth_alert.detection.judge import Breach, Verdict


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert or a closing message says; of its groups only those in ``listed``, those told before those over."""

    subject: str
    attributes: Mapping[str, Any]
    verdict: Verdict
    run: Evaluation
    listed: Sequence[Breach]

    @property
    def told(self) -> Sequence[Breach]:
        """Of the listed groups those that breach."""
        return self.listed[: len(self.verdict.to_tell)]

    @property
    def over(self) -> Sequence[Breach]:
        """Of the listed groups those that are over."""
        return self.listed[len(self.verdict.to_tell) :]


@dataclass(frozen=True, slots=True)
class Failure:
    """That an interval could not be evaluated, and why; ``run`` is None where the interval is not known."""

    subject: str
    attributes: Mapping[str, Any]
    run: Evaluation | None
    run_id: str
    task_id: str
    reason: str
