"""What the statement says of the log, for each verdict of the table in the README."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import NOON, judged, make_run, measure

START, END, SECOND = NOON, NOON + timedelta(minutes=30), timedelta(seconds=1)


def verdict(logs: psycopg.Connection, *events: tuple[Any, str]) -> str:
    run = make_run(start=START, end=END)
    stored = [("authenticated", at.replace(tzinfo=None), "192.0.2.9", user, "dev") for at, user in events]
    return judged(measure(logs, run, stored), run).coverage.verdict


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "unseen", id="no event at all"),
        pytest.param([(START - SECOND, "auth_monitor"), (END, "auth_monitor")], "unseen", id="only the monitor's own"),
        pytest.param([(END, "rdsdb")], "unseen", id="aged out: the oldest event is at the end"),
        pytest.param([(END - SECOND, "rdsdb")], "partial", id="the oldest event is just before the end"),
        pytest.param([(START, "rdsdb")], "partial", id="the oldest event is at the start"),
        pytest.param([(START - SECOND, "rdsdb")], "unseen", id="stopped: the newest event is just before the start"),
        pytest.param([(START - SECOND, "rdsdb"), (START, "rdsdb")], "seen", id="events on both sides of the start"),
        pytest.param(
            [(START - SECOND, "rdsdb"), (END, "auth_monitor")], "seen", id="quiet, but the monitor's own login"
        ),
    ],
)
def test_coverage_is(logs: psycopg.Connection, events: list[tuple[Any, str]], expected: str) -> None:
    assert verdict(logs, *events) == expected
