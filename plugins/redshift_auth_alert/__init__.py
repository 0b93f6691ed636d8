"""Alerts on repeated authentication failures in Amazon Redshift, for Airflow on Amazon MWAA."""
