"""A DAG that starts when an alert was published, and receives the breaches as data. This example only logs them.

Copy it into ``dags/`` and replace the log line with your response, such as blocking an address or locking a user.
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
        """Log each group that breached. docs/message.schema.json describes what an event holds."""
        groups = 0
        for event in triggering_asset_events[BREACHES]:
            for breach in event.extra["breaches"]:
                # Names from the log are an attacker's text. Never paste them into a command or a statement.
                log.warning("Would block %r: %d failures", breach["group"], breach["failures"])
                groups += 1
        return groups

    respond()
