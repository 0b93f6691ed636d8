"""The threshold-check task: judge the rows, log what was found, choose the branch."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.judge import judge
from redshift_auth_alert.message.alert import compose, compose_document, log_line
from redshift_auth_alert.tasks.metrics import measures, write_metrics
from redshift_auth_alert.tasks.versions import AirflowFailException

log = logging.getLogger(__name__)


def check_threshold(table: dict[str, list[Any]], run: Evaluation, ti: Any) -> str:
    """Return the id of the task to follow: ``publish_alert`` or ``no_alert``.

    Pushes each part of the message by its name, and ``document``, the same for programs. Raises
    AirflowFailException where the log does not show the interval, unless the monitor says ``when_unseen: warn``.
    """
    verdict = judge(table, run)
    coverage = verdict.coverage
    if coverage.verdict == "unseen" and run.settings.when_unseen == "fail":
        raise AirflowFailException(f"the interval is unseen: {coverage.reason}")
    log.info("Interval %s of %s is %s", run.interval, coverage.source, coverage.verdict)
    if coverage.reason:
        log.warning("Coverage is %s: %s", coverage.verdict, coverage.reason)

    for breach in verdict.to_tell + verdict.held_back:
        log.warning(log_line(breach))
    for breach in verdict.ignored:
        log.warning("Ignored (%s): %s", breach.entry and breach.entry.reason, log_line(breach))
    for number, entry in enumerate(run.settings.ignore, 1):
        if not entry.holds_on(run.interval.last_day):
            log.warning("ignore entry %d (%s) has lapsed on %s: renew or remove it", number, entry.reason, entry.until)
    log.info(
        "%d new and %d ongoing groups reached the threshold of %d; %d to tell, %d held back until a reminder is due, "
        "%d ignored, %d over, %d not compared with the ignore list and the own thresholds",
        verdict.new_groups,
        verdict.ongoing_groups,
        run.settings.threshold,
        verdict.told_groups,
        verdict.held_back_groups,
        verdict.ignored_groups,
        verdict.over_groups,
        verdict.unchecked_groups,
    )
    found = None if coverage.verdict == "unseen" else measures(verdict)
    if not verdict.says_something:
        if found:
            write_metrics(found, run)
        return "no_alert"

    message = compose(verdict, run)
    if run.settings.dry_run:
        log.warning("Dry run, not published:\n%s\n\n%s", message.subject, message.body)
        return "no_alert"
    for part, value in asdict(message).items():
        ti.xcom_push(key=part, value=value)
    ti.xcom_push(key="document", value=compose_document(verdict, run))
    ti.xcom_push(key="metrics", value=found)  # to be written once the alert is published
    return "publish_alert"
