"""What a monitor's DAG asks of the package while it runs: for its templates, its tasks and its failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException
from airflow.sdk import Asset, Context, Param
from croniter import croniter
from jinja2 import pass_context

from redshift_auth_alert.detection.candidates import Candidates, read_candidates
from redshift_auth_alert.detection.coverage import judge_coverage
from redshift_auth_alert.detection.evaluation import Evaluation, evaluate_run, run_type_of
from redshift_auth_alert.detection.interval import IntervalError
from redshift_auth_alert.detection.verdict import fit_budget
from redshift_auth_alert.message.setup import Check
from redshift_auth_alert.settings import form
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.operators import EVALUATED, REASON, UNSEEN, Report, kept_reason
from redshift_auth_alert.tasks.record import add_failure, cause_of, forget_missing, keep_reported
from redshift_auth_alert.tasks.versions import AirflowFailException, AirflowSkipException

log = logging.getLogger(__name__)

# The tasks whose failure is reported, in the order in which they run.
REPORTED_TASKS = ("query_auth_failures", "check_threshold", "publish_alert", "require_coverage")

# Airflow checks each field's schema against its meta-schema for every run; the flat one takes a third of the time.
_DRAFT = "http://json-schema.org/draft-07/schema#"


def params(settings: Settings) -> dict[str, Param]:
    """Return the fields of the trigger form as Airflow's Params."""
    return {name: _param(name, value) for name, value in form.values(settings).items()}


# Warehouses of one monitor file differ in little, so their DAGs share most fields; Airflow copies what it changes.
@lru_cache(maxsize=4096)
def _param(name: str, value: Any) -> Param:
    return Param(**{"$schema": _DRAFT}, **form.field_of(name, value))


class Run:
    """The runs of one monitor. Each method takes Airflow's context of the run at hand."""

    def __init__(self, monitor: Monitor, include: Path) -> None:
        self._monitor = monitor
        self._include = include

    def evaluation(self, context: Mapping[str, Any]) -> Evaluation:
        """Return what this run evaluates. Raises AlertError where its overrides are invalid, or it is skipped."""
        dag_run = context["dag_run"]
        run = evaluate_run(self._monitor, dag_run)
        if run.skipped:
            raise IntervalError(
                "these intervals were missed and are older than max_catchup_hours "
                f"({run.settings.max_catchup_hours}), so they were not caught up"
            )
        # When it started decides what the log still keeps, for a backfill of long ago too. Clearing a run renews it.
        return run.with_source(dag_run.start_date or dag_run.run_after)

    def candidates(self, table: dict[str, list[Any]], context: Mapping[str, Any]) -> Candidates:
        """Return of the fetched ``table`` what goes to XCom. Raises AirflowException while the log may catch up."""
        run, ti = self._with_predecessor(context), context["ti"]
        found = read_candidates(table, run)
        coverage = judge_coverage(found["log"], run.interval)
        if coverage.behind and ti.try_number <= ti.max_tries:
            raise AirflowException(f"{coverage.reason}. The task is retried, as the log may catch up")
        return fit_budget(found, run)

    def check_setup(self, context: Mapping[str, Any], open_hook: Callable[[str], Any]) -> list[dict[str, str]] | None:
        """Return what the checks of the set-up found, where the run asks for them instead of an evaluation."""
        run = evaluate_run(self._monitor, context["dag_run"])  # source auto stands for both of its logs here
        if not run.settings.check_only:
            return None
        from redshift_auth_alert.tasks.check_warehouse import check_sources
        from redshift_auth_alert.tasks.metrics import check_metrics  # boto3, which only its task needs

        now = context["dag_run"].start_date or context["dag_run"].run_after
        return [asdict(check) for check in (*check_sources(run, now, self._include, open_hook), *check_metrics(run))]

    def check_threshold(self, found: Any, **context: Any) -> str:
        """Run the check of the ``check_threshold`` task on the Candidates, or report what the checks found."""
        from redshift_auth_alert.tasks.check import check_threshold, report_setup  # as above

        with kept_reason(context):
            try:
                run = self.evaluation(context)
            except AlertError as error:  # which the next try would raise too
                raise AirflowFailException(str(error)) from error
            if run.settings.check_only:
                return report_setup([Check(**check) for check in found], run, context["ti"])
            measured_by = found.get("measured_by")  # None from an older version of the package
            if measured_by != run.measured_by:
                raise AirflowFailException(
                    f"query_auth_failures measured by other settings ({measured_by}) than now in force "
                    f"({run.measured_by}): clear query_auth_failures and the tasks after it"
                )
            since = found["reported_since"]
            run = replace(run, reported_since=since and datetime.fromisoformat(since))
            return check_threshold(found, run, context["ti"])

    def _with_predecessor(self, context: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation, with since when the runs before it have evaluated and reported their intervals.

        That is Airflow's record, not the log's. Where the run of the interval before has not ended yet, has failed or
        went by other settings, such as another topic, a breach is reported again, as nobody may have heard of it.
        """
        run, ti = self.evaluation(context), context["ti"]
        if run.settings.remind_every_minutes is None or run.settings.dry_run:  # nothing is held back
            return run
        topic = context["task"].render_template(run.settings.sns_topic_arn, context)
        run = replace(run, settings=run.settings.model_copy(update={"sns_topic_arn": topic}))
        expected = f"{run.interval.start.isoformat()} {run.judged_by} "
        start = croniter(run.settings.schedule, run.interval.start).get_prev(datetime)
        runs = ti.get_task_states(dag_id=ti.dag_id, task_ids=["check_threshold"], logical_dates=[start])
        for before in runs:
            recorded = ti.xcom_pull(task_ids="check_threshold", key=EVALUATED, run_id=before) or ""
            if recorded.startswith(expected) and ti.get_dagrun_state(dag_id=ti.dag_id, run_id=before) == "success":
                return replace(run, reported_since=datetime.fromisoformat(recorded.removeprefix(expected)))
        return run

    @property
    def breaches(self) -> Asset:
        """The asset of which each published alert is an event, so that other DAGs can be scheduled on it."""
        return Asset(f"{self._monitor.dag_id}_breaches")

    def after_publishing(self, context: Context, _result: Any) -> None:
        """Give the event the alert as data, write the metrics, and forget the failures that are reported.

        Any error is a warning in the log: the task would be tried again, and publish the message once more.
        """
        if self._settings(context).check_only:
            raise AirflowSkipException("published; then skipped, as a test is no event of the asset")
        try:
            self._conclude(context)
        except Exception:
            log.warning("The message is published, but not all that follows was done", exc_info=True)

    def _conclude(self, context: Context) -> None:
        from redshift_auth_alert.tasks.metrics import write_metrics  # as above

        pull = context["ti"].xcom_pull
        context["outlet_events"][self.breaches].extra = pull(task_ids="check_threshold", key="document")
        run = evaluate_run(self._monitor, context["dag_run"])  # not the source, which may no longer be known
        if found := pull(task_ids="check_threshold", key="metrics"):
            write_metrics(found, run, evaluated=not pull(task_ids="check_threshold", key=UNSEEN))
        forget_missing(run)

    def require_coverage(self, **context: Any) -> None:
        """Fail a run that has published what it found while some warehouses of its fleet were unseen.

        Where the monitor says ``when_unseen: warn``, it succeeds.
        """
        with kept_reason(context):
            unseen = context["ti"].xcom_pull(task_ids="check_threshold", key=UNSEEN)
            if unseen and self._settings(context).when_unseen == "fail":
                raise AirflowFailException(unseen)

    def failure(self, context: Context) -> Report | None:
        """Return what is to be reported: which task failed and why; None for a dry run.

        Raises AirflowFailException where the same cause was reported within the hour.
        """
        from redshift_auth_alert.message.compose import compose_failure
        from redshift_auth_alert.message.failure import build_failure
        from redshift_auth_alert.tasks.metrics import write_failed
        from redshift_auth_alert.tasks.origin import run_url, warehouse_name

        conf, settings = context["dag_run"].conf or {}, self._settings(context)
        if settings.dry_run or conf.get("dry_run") is True:
            return None
        if not settings.check_only:
            write_failed(settings, self._monitor.dag_id, run_type_of(context["dag_run"]))
        topic = context["task"].render_template(settings.sns_topic_arn, context)
        run, (task, reason) = self._run_or_none(context), _failed(context["ti"])
        cause, missing = cause_of(task, reason, topic), None
        try:
            missing = add_failure(run, cause) if run else None
        except AirflowFailException:
            raise
        except Exception:  # whatever the record is good for, it must not keep a report back
            log.warning("The failure is reported without a look at what was reported before", exc_info=True)
        run_id = context["ti"].run_id
        failure = build_failure(
            self._monitor,
            run,
            run_id,
            task,
            reason,
            missing=missing,
            warehouse=warehouse_name(settings),
            run_url=run_url(self._monitor.dag_id, run_id),
        )
        message = compose_failure(failure, settings.message_format)
        return Report(topic, message, keep=partial(keep_reported, run, cause) if run else lambda: None)

    def _run_or_none(self, context: Context) -> Evaluation | None:
        try:
            return evaluate_run(self._monitor, context["dag_run"])
        except AlertError:
            return None

    @property
    def macros(self) -> dict[str, Callable[..., Any]]:
        """What templates may call: ``run()``, the evaluation, and ``topic()``, the ARN of the topic."""

        @pass_context
        def run(context: Mapping[str, Any]) -> Evaluation:
            return self.evaluation(context)

        @pass_context
        def topic(context: Any) -> str:
            # A monitor file's topic may be a template itself. Overrides are refused if they are one.
            own = self._settings(context).sns_topic_arn
            return str(context.environment.from_string(own).render(context.get_all()))

        return {"run": run, "topic": topic}

    def _settings(self, context: Mapping[str, Any]) -> RunSettings:
        """Return the settings in force, or the monitor's where the overrides are invalid: a failure is reported too."""
        try:
            return self._monitor.settings.for_run(context["dag_run"].conf)
        except AlertError:
            return self._monitor.settings.for_run(None)


def _failed(ti: Any) -> tuple[str, str]:
    """Return the task that failed, and why."""
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(REPORTED_TASKS), run_ids=[ti.run_id])
    states = states.get(ti.run_id, {})
    failed = next((task for task in REPORTED_TASKS if states.get(task) == "failed"), REPORTED_TASKS[0])
    return failed, ti.xcom_pull(task_ids=failed, key=REASON) or (
        f"{failed} ended without a reason: it was killed, took too long, or could not publish. Its log in Airflow says "
        "more"
    )
