"""Registers the timetable, so that the scheduler and the API server can read the DAGs that use it."""

from airflow.plugins_manager import AirflowPlugin

from redshift_auth_alert.tasks.timetable import SettledIntervalTimetable


class RedshiftAuthAlertPlugin(AirflowPlugin):
    """Makes SettledIntervalTimetable known to Airflow."""

    name = "redshift_auth_alert"
    timetables = [SettledIntervalTimetable]  # noqa: RUF012 -- the attribute that Airflow reads
