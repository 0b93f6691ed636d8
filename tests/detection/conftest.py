from __future__ import annotations

from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.findings import Verdict
from tests.conftest import judged, make_run, measure
from tests.detection.events import HEARTBEAT, Events


@pytest.fixture
def judge(logs: psycopg.Connection) -> Any:
    """The verdict of a run on a log with these events."""

    def judge(log: Events, **settings: Any) -> Verdict:
        run = make_run(**settings)
        return judged(measure(logs, run, log + HEARTBEAT), run)

    return judge
