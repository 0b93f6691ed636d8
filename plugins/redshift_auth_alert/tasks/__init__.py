"""What Airflow runs: operators, hooks, the check, metrics, the timetable."""
