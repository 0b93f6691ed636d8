"""The threshold-check task: judge the candidates, log what was found, choose the branch."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from redshift_auth_alert.detection.candidates import Candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.detection.verdict import judge
from redshift_auth_alert.message import words
from redshift_auth_alert.message.alert import build_alert
from redshift_auth_alert.message.compose import compose_alert, compose_document
from redshift_auth_alert.tasks.metrics import measures, write_metrics
from redshift_auth_alert.tasks.operators import EVALUATED
from redshift_auth_alert.tasks.versions import AirflowFailException

log = logging.getLogger(__name__)


def check_threshold(found: Candidates, run: Evaluation, ti: Any) -> str:
    """Return the id of the task to follow: ``publish_alert`` or ``no_alert``.

    Pushes each part of the message by its name, and ``document``, the same for programs. Raises
    AirflowFailException where the log does not show the interval, unless the monitor says ``when_unseen: warn``.
    """
    verdict = judge(found, run)
    coverage = verdict.coverage
    if coverage.verdict == "unseen" and run.settings.when_unseen == "fail":
        raise AirflowFailException(f"the interval is unseen: {coverage.reason}")
    _log(verdict, run)
    metrics = None if coverage.verdict == "unseen" else measures(verdict)
    if metrics and not run.settings.dry_run:
        ti.xcom_push(key=EVALUATED, value=True)
    if not verdict.says_something:
        if metrics:
            write_metrics(metrics, run)
        return "no_alert"

    alert = build_alert(verdict, run)
    message = compose_alert(alert)
    if run.settings.dry_run:
        log.warning("Dry run, not published:\n%s\n\n%s", message.subject, message.body)
        return "no_alert"
    for part, value in asdict(message).items():
        ti.xcom_push(key=part, value=value)
    ti.xcom_push(key="document", value=compose_document(alert))
    ti.xcom_push(key="metrics", value=metrics)  # written once the alert is published
    return "publish_alert"


def _log(verdict: Verdict, run: Evaluation) -> None:
    coverage, totals = verdict.coverage, verdict.totals
    log.info("Interval %s of %s is %s", run.interval, coverage.source, coverage.verdict)
    if coverage.reason:
        log.warning("Coverage is %s: %s", coverage.verdict, coverage.reason)
    for breach in verdict.breaches[: run.settings.max_groups]:
        reason = f" ({breach.entry.reason})" if breach.outcome == "ignored" and breach.entry else ""
        log.warning("%s: %s%s", words.line(breach), breach.outcome.replace("_", " "), reason)
    for number, entry in enumerate(run.settings.ignore, 1):
        if not entry.holds_on(run.interval.last_day):
            log.warning("ignore entry %d (%s) expired on %s: renew or remove it", number, entry.reason, entry.until)
    numbers = ", ".join(f"{number:,} {what.replace('_', ' ')}" for what, number in asdict(totals).items())
    log.info("%s groups reported; of all groups %s", f"{totals.reported:,}", numbers)
