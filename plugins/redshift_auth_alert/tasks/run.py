"""What a monitor's DAG asks of the package while it runs: for its templates, its tasks and its failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, Context, Param
from jinja2 import pass_context

from redshift_auth_alert.detection.candidates import Candidates, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation, evaluate_run, run_type_of
from redshift_auth_alert.detection.verdict import fit_budget
from redshift_auth_alert.settings import form
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.operators import EVALUATED, REASON, kept_reason

if TYPE_CHECKING:
    from redshift_auth_alert.message.alert import Message

# The tasks whose failure is reported, in the order in which they run.
REPORTED_TASKS = ("query_auth_failures", "check_threshold", "publish_alert")

# Airflow checks each field's schema against its meta-schema at every import; the flat one takes a quarter of the time.
_DRAFT = "http://json-schema.org/draft-07/schema#"


def params(settings: Settings) -> dict[str, Param]:
    """Return the fields of the trigger form as Airflow's Params."""
    return {name: Param(**{"$schema": _DRAFT}, **field) for name, field in form.fields(settings).items()}


class Run:
    """The runs of one monitor. Each method takes Airflow's context of the run at hand."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def evaluation(self, context: Mapping[str, Any]) -> Evaluation:
        """Return what this run evaluates. Raises AlertError where its overrides are invalid."""
        dag_run = context["dag_run"]
        # When it started decides what the log still keeps, for a backfill of long ago too. Clearing a run renews it.
        return evaluate_run(self._monitor, dag_run).with_source(dag_run.start_date or dag_run.run_after)

    def candidates(self, table: dict[str, list[Any]], context: Mapping[str, Any]) -> Candidates:
        """Return of the fetched ``table`` what goes to XCom."""
        run = self._with_predecessor(context)
        return fit_budget(read_candidates(table, run), run)

    def check_threshold(self, found: Candidates, **context: Any) -> str:
        """Run the check of the ``check_threshold`` task."""
        from redshift_auth_alert.tasks.check import check_threshold  # boto3, which only its task needs

        with kept_reason(context):
            return check_threshold(found, self._with_predecessor(context), context["ti"])

    def _with_predecessor(self, context: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation, with whether the run of the interval before has evaluated and reported it.

        That is Airflow's record, not the log's. Where that run has not ended yet or has failed, a breach is reported
        again, as nobody may have heard of it.
        """
        run, ti = self.evaluation(context), context["ti"]
        if run.reminder_due:  # nothing is held back, so nobody has to ask
            return run
        before = ti.get_previous_dagrun()
        adjoins = before is not None and before.data_interval_end == run.interval.start and before.state == "success"
        record = ti.xcom_pull(task_ids="check_threshold", key=EVALUATED, run_id=before.run_id) if adjoins else None
        return replace(run, before_reported=bool(record))

    @property
    def breaches(self) -> Asset:
        """The asset of which each published alert is an event, so that other DAGs can be scheduled on it."""
        return Asset(f"{self._monitor.dag_id}_breaches")

    def after_publishing(self, context: Context, _result: Any) -> None:
        """Give the event the alert as data, and write the metrics."""
        from redshift_auth_alert.tasks.metrics import write_metrics  # as above

        pull = context["ti"].xcom_pull
        context["outlet_events"][self.breaches].extra = pull(task_ids="check_threshold", key="document")
        if found := pull(task_ids="check_threshold", key="metrics"):
            write_metrics(found, self.evaluation(context))

    def failure(self, context: Context) -> tuple[str, Message] | None:
        """Return the topic and the message that says which task failed and why; None for a dry run."""
        from redshift_auth_alert.message.compose import compose_failure
        from redshift_auth_alert.message.failure import build_failure
        from redshift_auth_alert.tasks.metrics import write_failed

        conf, settings = context["dag_run"].conf or {}, self._settings(context)
        if settings.dry_run or conf.get("dry_run") is True:
            return None
        try:
            run = evaluate_run(self._monitor, context["dag_run"])
        except AlertError:
            run = None
        ti = context["ti"]
        write_failed(settings, self._monitor.dag_id, run_type_of(context["dag_run"]))
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(REPORTED_TASKS), run_ids=[ti.run_id])
        states = states.get(ti.run_id, {})
        failed = next((task for task in REPORTED_TASKS if states.get(task) == "failed"), REPORTED_TASKS[0])
        reason = ti.xcom_pull(task_ids=failed, key=REASON) or (
            f"{failed} ended without a reason: it was killed, took too long, or could not publish. Its log in Airflow "
            "says more"
        )
        failure = build_failure(self._monitor, run, ti.run_id, failed, reason)
        topic = context["task"].render_template(settings.sns_topic_arn, context)
        return topic, compose_failure(failure, settings.message_format)

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
