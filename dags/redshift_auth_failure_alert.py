"""One DAG per monitor file: query the connection log, check the threshold, alert only where somebody breached.

query_auth_failures -> check_threshold -> publish_alert -> require_coverage | no_alert, and report_failure where one of
them failed
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.sdk import DAG, get_parsing_context

from redshift_auth_alert.settings.include import include_folder
from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from redshift_auth_alert.tasks.doc import describe, headline
from redshift_auth_alert.tasks.lockout import guarded_sign_in
from redshift_auth_alert.tasks.operators import RedshiftSQLOperator, ReportFailureOperator
from redshift_auth_alert.tasks.run import Run, params
from redshift_auth_alert.tasks.timetable import settled_timetable

INCLUDE = include_folder(__file__)
# Publishing retries for two hours, as the message is cheap to keep. Its timeouts end well before Airflow's own.
PUBLISHING = {
    "retries": 14,
    "max_retry_delay": timedelta(minutes=15),
    "botocore_config": {"connect_timeout": 5, "read_timeout": 8, "retries": {"total_max_attempts": 1}},
}


def build_dag(monitor: Monitor) -> DAG:
    """Return the DAG of one monitor."""
    settings, run = monitor.settings, Run(monitor, INCLUDE)
    with DAG(
        dag_id=monitor.dag_id,
        description=headline(monitor),
        doc_md=describe(monitor),
        schedule=settled_timetable(
            settings.schedule,
            settle=timedelta(minutes=settings.settle_minutes),
            max_catchup=timedelta(hours=settings.max_catchup_hours),
            window=timedelta(minutes=settings.window_minutes),
        ),
        start_date=settings.start_date,
        catchup=False,  # the timetable catches up, within bounds
        max_active_runs=130,  # a run that waits to publish counts: two hours of one a minute, so that later ones go on
        template_searchpath=str(INCLUDE),
        user_defined_macros=run.macros,
        tags=["redshift", "security", settings.environment],
        default_args={
            "owner": "security",
            "weight_rule": "upstream",  # messages of one run go before the queries of the next
            "retries": 3,  # within five minutes, so that an unreachable warehouse is reported soon
            "retry_delay": timedelta(seconds=20),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(seconds=90),
            "execution_timeout": timedelta(minutes=10),
        },
    ) as dag:
        query_auth_failures = RedshiftSQLOperator(
            task_id="query_auth_failures",
            max_active_tis_per_dag=4,
            conn_id="{{ run().conn_id }}",
            connection_types="{{ run().connection_types }}",
            max_scanned_gb="{{ run().settings.max_scanned_gb }}",
            sign_in=settings.sign_in | {"guard": partial(guarded_sign_in, lockout_after=settings.lockout_after)},
            sql="sql/auth_failures.sql",
            validate=run.evaluation,
            into_xcom=run.candidates,
            instead=run.check_setup,
        )
        check_threshold = BranchPythonOperator(
            task_id="check_threshold",
            python_callable=run.check_threshold,
            op_args=[query_auth_failures.output],
        )
        publish_alert = SnsPublishOperator(
            task_id="publish_alert",
            **PUBLISHING,
            aws_conn_id=settings.aws_conn_id,
            target_arn="{{ topic() }}",
            subject=check_threshold.output["subject"],
            message=check_threshold.output["body"],
            message_attributes=check_threshold.output["attributes"],
            outlets=[run.breaches],
            post_execute=run.after_publishing,
        )
        require_coverage = PythonOperator(task_id="require_coverage", python_callable=run.require_coverage)
        report_failure = ReportFailureOperator(
            task_id="report_failure",
            max_active_tis_per_dag=1,  # so that one run alone reports a cause that many share
            **PUBLISHING,
            aws_conn_id=settings.aws_conn_id,
            compose=run.failure,
        )
        check_threshold >> [publish_alert, EmptyOperator(task_id="no_alert")]
        publish_alert >> require_coverage
        [query_auth_failures, check_threshold, publish_alert, require_coverage] >> report_failure
    # After the tasks, each of which would copy them. Not assigned, as Airflow then checks each schema at every import,
    # which takes as long as all else; a test checks them.
    dag.params.update(params(settings))
    return dag


# A task loads its own DAG only: with 1,000 monitors, the others would take it seconds.
for monitor in load_monitors(INCLUDE / "monitors", only=get_parsing_context().dag_id)[0]:
    globals()[monitor.dag_id] = build_dag(monitor)
