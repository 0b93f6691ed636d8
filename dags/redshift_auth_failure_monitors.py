"""No DAG of its own: shows the invalid monitor files as an import error in Airflow's pages.

This is a file apart, because Airflow stops every DAG of a file that has an import error.
"""

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.include import include_folder
from redshift_auth_alert.settings.monitors import load_monitors

_, problems = load_monitors(include_folder(__file__) / "monitors")
if problems:
    raise SettingsError("\n".join(problems))
