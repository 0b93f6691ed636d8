"""The threshold-check task: judge the candidates, log what was found, choose the branch."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Any

from redshift_auth_alert.detection.candidates import Candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.detection.verdict import judge
from redshift_auth_alert.message import words
from redshift_auth_alert.message.alert import Message, build_alert
from redshift_auth_alert.message.compose import compose_alert, compose_document, compose_setup_report
from redshift_auth_alert.message.setup import Check, build_setup_report
from redshift_auth_alert.message.summary import summarise
from redshift_auth_alert.settings.english import counted
from redshift_auth_alert.tasks.metrics import measures, write_metrics
from redshift_auth_alert.tasks.operators import EVALUATED, UNSEEN
from redshift_auth_alert.tasks.origin import with_origin
from redshift_auth_alert.tasks.record import give_back_missing, take_missing
from redshift_auth_alert.tasks.versions import AirflowFailException

log = logging.getLogger(__name__)


def check_threshold(found: Candidates, run: Evaluation, ti: Any) -> str:
    """Return the id of the task to follow: ``publish_alert`` or ``no_alert``.

    Pushes ``summary`` of every run, and where any group breached, ``document``. Where there is something to report,
    each part of the message by its name. Raises AirflowFailException where the log does not show the interval, unless
    the monitor says ``when_unseen: warn``. Where it does not show some warehouses of a fleet, breaches at the others
    are published first: the reason is pushed as UNSEEN, for ``require_coverage`` to raise.
    """
    verdict, run = judge(found, run), with_origin(run)
    coverage = verdict.coverage
    ti.xcom_push(key="summary", value=summarise(verdict, run))
    unseen = coverage.not_evaluated
    fails = unseen and run.settings.when_unseen == "fail"
    if fails and (coverage.verdict == "unseen" or not verdict.names_groups):
        raise AirflowFailException(unseen)
    _log(verdict, run)
    metrics = None if coverage.verdict == "unseen" else measures(verdict)
    if unseen:  # says neither that it works again nor that all was evaluated
        give_back_missing(run)
        branch = _conclude(verdict, run, metrics, ti, evaluated=False)
        if fails and run.settings.dry_run:
            raise AirflowFailException(unseen)
        ti.xcom_push(key=UNSEEN, value=unseen)
        return branch
    if run.settings.dry_run:
        return _conclude(verdict, run, metrics, ti)
    if coverage.verdict == "seen":  # what was not seen may be a breach, which the next run must not hold back
        since = run.reported_since or run.interval.start
        ti.xcom_push(key=EVALUATED, value=f"{run.interval.end.isoformat()} {found['judged_by']} {since.isoformat()}")
    return _conclude(verdict, replace(run, missing=take_missing(run)), metrics, ti)


def _conclude(
    verdict: Verdict, run: Evaluation, metrics: dict[str, int] | None, ti: Any, *, evaluated: bool = True
) -> str:
    """Keep the document and, where there is something to report, the message. Return the id of the task to follow."""
    says_something = verdict.says_something or run.missing
    alert = build_alert(verdict, run)
    if says_something or verdict.breaches:
        ti.xcom_push(key="document", value=compose_document(alert))
    if not says_something:
        if metrics:
            write_metrics(metrics, run, evaluated=evaluated)
        return "no_alert"
    if not run.settings.dry_run:
        ti.xcom_push(key="metrics", value=metrics)  # written once the alert is published
    return _keep(compose_alert(alert), run, ti)


def report_setup(checks: list[Check], run: Evaluation, ti: Any) -> str:
    """Return the id of the task to follow a check of the set-up, which always has something to report."""
    topic = "a dry run publishes nothing" if run.settings.dry_run else "this message has come through it"
    checks = [*checks, Check("topic", "not checked" if run.settings.dry_run else "ok", topic)]
    return _keep(compose_setup_report(build_setup_report(checks, with_origin(run))), run, ti)


def _keep(message: Message, run: Evaluation, ti: Any) -> str:
    """Keep the message for ``publish_alert``, or log that of a dry run. Return the id of the task to follow."""
    if run.settings.dry_run:
        log.warning("Dry run, not published:\n%s\n\n%s", message.subject, message.body)
        return "no_alert"
    for part, value in asdict(message).items():
        ti.xcom_push(key=part, value=value)
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
    log.info("%s reported; of all groups %s", counted(totals.reported, "group"), numbers)
