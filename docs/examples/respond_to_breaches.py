"""A DAG that starts when the alert was published, and gets the breaches as data. This one only logs.

Copy it into ``dags/``, and put in place of the log line what is to happen: block an address, disable a user.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import DAG, Asset, task

BREACHES = Asset("redshift_auth_failure_alert_breaches")  # the monitor's DAG id and "_breaches"
log = logging.getLogger(__name__)

with DAG(dag_id="respond_to_breaches", schedule=[BREACHES], catchup=False, tags=["redshift", "security"]):

    @task
    def respond(triggering_asset_events: Any = None) -> int:
        """Log each group that breached; the events hold what docs/message.schema.json describes."""
        groups = 0
        for event in triggering_asset_events[BREACHES]:
            for breach in event.extra["breaches"]:
                # Names out of the log are an attacker's text: never paste them into a command or a statement.
                log.warning("Would block %r: %d failures", breach["group"], breach["failures"])
                groups += 1
        return groups

    respond()
