"""Alerts on repeated authentication failures in Amazon Redshift, for Airflow on Amazon MWAA."""

__version__ = "2.3.0"
