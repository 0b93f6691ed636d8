"""Let Airflow's scheduler create the runs of a DAG with a settle delay of 35 minutes, which then becomes 5.

Prints the interval of each run. A process of its own: Airflow reads its home, which the environment names, once.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from redshift_auth_alert.tasks import timetable
from redshift_auth_alert.tasks.timetable import settled_timetable

NOW, START, BUNDLE = pendulum.datetime(2026, 3, 1, 15, 6), pendulum.datetime(2026, 3, 1, 13), "bundle"


def run_all(settle_minutes: int) -> None:
    """Write the DAG to the database, and create the runs that are due."""
    times = {"max_catchup": timedelta(hours=4), "window": timedelta(minutes=30)}
    schedule = settled_timetable("*/30 * * * *", settle=timedelta(minutes=settle_minutes), **times)
    with DAG("monitor", schedule=schedule, start_date=START, catchup=False, max_active_runs=130) as dag:
        EmptyOperator(task_id="task")
    dag.fileloc, dag.relative_fileloc = __file__, "scheduler.py"
    bag = DagBag(os.devnull, bundle_name=BUNDLE)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, BUNDLE, None)
    while create_due_run():
        pass


def create_due_run() -> bool:
    """Do what the scheduler does in each of its loops; return whether a run was due."""
    with create_session() as session:
        model = session.get_one(DagModel, "monitor")
        due = model.next_dagrun_create_after is not None and model.next_dagrun_create_after <= NOW
        if due:
            job = Job()
            session.add(job)
            session.flush()
            SchedulerJobRunner(job=job)._create_dag_runs([model], session)
    return due


if __name__ == "__main__":
    timetable._now = lambda: NOW
    initdb()
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    run_all(35)
    run_all(5)
    with create_session() as session:
        for run in session.scalars(select(DagRun).order_by(DagRun.logical_date)):
            print(f"{run.data_interval_start:%H:%M} to {run.data_interval_end:%H:%M}")
