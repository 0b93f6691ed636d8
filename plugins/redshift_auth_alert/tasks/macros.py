"""Between Airflow and the package: what templates may call, the trigger form, and import errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from airflow.sdk import DAG, Asset, Context, Param
from jinja2 import pass_context

from redshift_auth_alert.detection.evaluation import Evaluation, evaluate_run
from redshift_auth_alert.detection.selection import select
from redshift_auth_alert.settings import form
from redshift_auth_alert.settings.errors import AlertError, SettingsError
from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.versions import AirflowFailException

# Airflow checks each field's schema against its meta-schema at every import; the flat one takes a quarter of the time.
_DRAFT = "http://json-schema.org/draft-07/schema#"


class Macros:
    """What the templates of one monitor's DAG may call."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def evaluation(self, context: Mapping[str, Any]) -> Evaluation:
        """Return what this run evaluates. Raises AirflowFailException, as a retry cannot mend invalid overrides."""
        dag_run = context["dag_run"]
        try:
            # Its start tells what the log still keeps, for a backfill of long ago too; clearing a run renews it.
            return evaluate_run(self._monitor, dag_run).with_source(dag_run.start_date or dag_run.run_after)
        except AlertError as error:
            raise AirflowFailException(str(error)) from error

    def select(self, table: dict[str, list[Any]], context: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Keep of the fetched ``table`` what the threshold check needs."""
        return select(table, self.evaluation(context))

    def check_threshold(self, table: dict[str, list[Any]], **context: Any) -> str:
        """Run the check of the ``check_threshold`` task."""
        from redshift_auth_alert.tasks.check import check_threshold  # pandas: seconds that only this task should pay

        return check_threshold(table, self.evaluation(context), context["ti"])

    @property
    def breaches(self) -> Asset:
        """The asset of which each published alert is an event, so that other DAGs can be scheduled on it."""
        return Asset(f"{self._monitor.dag_id}_breaches")

    def after_publishing(self, context: Context, _result: Any) -> None:
        """Give the event the alert as data, and write the metrics."""
        from redshift_auth_alert.tasks.metrics import write_metrics  # boto3, which only its task needs

        pull = context["ti"].xcom_pull
        context["outlet_events"][self.breaches].extra = pull(task_ids="check_threshold", key="document")
        if found := pull(task_ids="check_threshold", key="metrics"):
            write_metrics(found, self.evaluation(context))

    @property
    def macros(self) -> dict[str, Callable[..., Any]]:
        """The functions by the name that templates use."""

        @pass_context
        def evaluation(context: Mapping[str, Any]) -> Evaluation:
            return self.evaluation(context)

        @pass_context
        def topic_override(context: Mapping[str, Any]) -> str | None:
            """Return the overridden topic; None also where the overrides are invalid, as that is to be told too."""
            try:
                topic = self._monitor.settings.for_run(context["dag_run"].conf).sns_topic_arn
            except AlertError:
                return None
            return None if topic == self._monitor.settings.sns_topic_arn else topic

        @pass_context
        def failure_message(context: Mapping[str, Any]) -> Any:
            from redshift_auth_alert.message.alert import failure_message

            try:
                run = evaluate_run(self._monitor, context["dag_run"])
            except AlertError:
                run = None
            ti = context["ti"]
            return failure_message(self._monitor, run, ti.run_id, ti.task_id, context.get("exception"))

        return {"evaluation": evaluation, "topic_override": topic_override, "failure_message": failure_message}

    @property
    def topic(self) -> str:
        """Template of the topic: the overridden one, else the monitor's, which may be a template itself."""
        own = self._monitor.settings.sns_topic_arn
        return "{% if topic_override() %}{{ topic_override() }}{% else %}" + own + "{% endif %}"

    def for_fifo(self, expression: str) -> str:
        """Template of ``expression`` where the topic is a FIFO topic, else of the empty text that SNS is not sent."""
        return f"{{% set topic %}}{self.topic}{{% endset %}}{{{{ {expression} if topic.endswith('.fifo') else '' }}}}"


def params(settings: Settings) -> dict[str, Param]:
    """Return the trigger form's fields as Airflow's Params."""
    return {name: Param(**{"$schema": _DRAFT}, **field) for name, field in form.fields(settings).items()}


class ImportErrorDAG(DAG):
    """Shows invalid monitors as an import error of the DAG file while the file's other DAGs still load.

    Airflow keeps what a file defines beside a DAG that fails to validate, but nothing of a file that raises.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(dag_id="invalid_monitors", schedule=None)
        self._problems = problems

    def validate(self) -> NoReturn:
        """Raise SettingsError with every problem."""
        raise SettingsError("\n".join(self._problems))
