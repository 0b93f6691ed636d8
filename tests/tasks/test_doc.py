"""What Airflow's pages say about a monitor's DAG."""

from __future__ import annotations

from typing import Any

import pytest

from redshift_auth_alert.tasks.doc import describe, headline
from tests.message.findings import MONITOR


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "Alerts on 10 or more authentication failures within 30 minutes"),
        ({"count": "distinct user_name"}, "Alerts on authentication failures as 10 or more users within 30 minutes"),
        ({"threshold": 1_000, "window_minutes": 1}, "Alerts on 1,000 or more authentication failures within 1 minute"),
    ],
)
def test_its_description_says_what_is_counted(settings: dict[str, Any], says: str) -> None:
    assert headline(MONITOR.model_copy(update={"settings": MONITOR.settings.model_copy(update=settings)})) == says


@pytest.mark.parametrize("why", ["nobody breached", "a dry run", "a check of the set-up", "`when_unseen: warn`"])
def test_a_run_that_published_no_alert_is_explained(why: str) -> None:
    row = next(line for line in describe(MONITOR).splitlines() if "pink (skipped)" in line)
    assert why in row
