"""One DAG per monitor file: query the connection log, check the threshold, alert only where somebody breached.

    query_auth_failures -> check_threshold -> publish_alert | no_alert

What is evaluated, measured, decided and written lives in the package in plugins/ and in include/sql.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG

from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from redshift_auth_alert.tasks import macros
from redshift_auth_alert.tasks.operators import FailureNotifier, RedshiftSQLOperator
from redshift_auth_alert.tasks.timetable import SettledIntervalTimetable

HERE = Path(__file__).resolve().parent
# On MWAA include/ lies inside dags/, in a checkout beside it.
INCLUDE = HERE / "include" if (HERE / "include").is_dir() else HERE.parent / "include"


def build_dag(monitor: Monitor) -> DAG:
    """Return the DAG of one monitor."""
    settings = monitor.settings
    run = macros.Macros(monitor)
    with DAG(
        dag_id=monitor.dag_id,
        description=f"Alerts on {settings.threshold} authentication failures within {settings.window_minutes} minutes",
        doc_md=__doc__ + f"\nMonitor: `{monitor.file.name}`, environment: {settings.environment}.",
        schedule=SettledIntervalTimetable(
            settings.schedule,
            settle=timedelta(minutes=settings.settle_minutes),
            max_catchup=timedelta(hours=settings.max_catchup_hours),
            window=timedelta(minutes=settings.window_minutes),
        ),
        start_date=settings.start_date,
        catchup=False,  # the timetable catches up, within bounds
        max_active_runs=4,
        template_searchpath=str(INCLUDE),
        user_defined_macros=run.macros,
        tags=["redshift", "security", settings.environment],
        default_args={
            "owner": "security",
            "retries": 2,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=5),
            "execution_timeout": timedelta(minutes=10),
            "on_failure_callback": FailureNotifier(
                aws_conn_id=settings.aws_conn_id,
                target_arn=run.topic,
                subject="{{ failure_message().subject }}",
                message="{{ failure_message().body }}",
                message_attributes={
                    name: f"{{{{ failure_message().attributes.{name} }}}}"
                    for name in ("monitor", "environment", "severity")
                },
                message_group_id="{{ failure_message().group_id }}",
                message_deduplication_id="{{ failure_message().deduplication_id }}",
            ),
        },
    ) as dag:
        query_auth_failures = RedshiftSQLOperator(
            task_id="query_auth_failures",
            conn_id="{{ evaluation().settings.read_through }}",
            connection_types="{{ evaluation().source.connection_types | join(',') }}",
            max_scanned_gb="{{ evaluation().settings.max_scanned_gb }}",
            sign_in=settings.sign_in,
            sql="sql/auth_failures.sql",
            select=run.select,
        )

        check_threshold = BranchPythonOperator(
            task_id="check_threshold",
            python_callable=run.check_threshold,
            op_args=[query_auth_failures.output],
        )
        publish_alert = SnsPublishOperator(
            task_id="publish_alert",
            aws_conn_id=settings.aws_conn_id,
            target_arn=run.topic,
            subject=check_threshold.output["subject"],
            message=check_threshold.output["body"],
            message_attributes=check_threshold.output["attributes"],
            message_group_id=run.for_fifo("ti.xcom_pull(task_ids='check_threshold', key='group_id')"),
            message_deduplication_id=run.for_fifo("ti.xcom_pull(task_ids='check_threshold', key='deduplication_id')"),
            outlets=[run.breaches],
            post_execute=run.after_publishing,
        )
        check_threshold >> [publish_alert, EmptyOperator(task_id="no_alert")]
    dag.params = macros.params(settings)  # after the tasks, each of which would copy them at every import
    return dag


monitors, problems = load_monitors(INCLUDE / "monitors")
for monitor in monitors:
    globals()[monitor.dag_id] = build_dag(monitor)
if problems:
    invalid_monitors = macros.ImportErrorDAG(problems)
