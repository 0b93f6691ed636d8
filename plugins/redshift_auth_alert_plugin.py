"""Registers the timetable, so that the scheduler and the API server can read the DAGs that use it, and the page."""

from airflow.plugins_manager import AirflowPlugin

from redshift_auth_alert.tasks.page import EXTERNAL_VIEWS, FASTAPI_APPS, shows_page
from redshift_auth_alert.tasks.timetable import SettledIntervalTimetable


class RedshiftAuthAlertPlugin(AirflowPlugin):
    """Makes SettledIntervalTimetable and the page known to Airflow."""

    name = "redshift_auth_alert"
    timetables = [SettledIntervalTimetable]  # noqa: RUF012 -- the attribute that Airflow reads
    if shows_page(AirflowPlugin):
        fastapi_apps = FASTAPI_APPS
        external_views = EXTERNAL_VIEWS
