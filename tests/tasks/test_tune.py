"""``make tune`` against the local Redshift: the tables, and what goes wrong."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from docs.examples.tune_thresholds import main, past_intervals
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.settings.monitors import DAG_ID
from sandbox.warehouse import Warehouse
from tests.conftest import ROOT, TOPIC

MINUTE = timedelta(minutes=1)
TWO_DAYS_AGO = (datetime.now(UTC) - timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
MONITOR = f"""
environment: test
sns_topic_arn: {TOPIC}
schedule: "0 * * * *"
ignore: [{{remote_host: 203.0.113.0/24, reason: BI gateway}}]
"""


@pytest.fixture(scope="module")
def attacked(warehouse: Warehouse) -> Iterator[Warehouse]:
    """Three hours of one failure a minute from 04:10 two days ago, and a host that reaches only the lowest threshold.

    The day after, a burst of 60, and one that is ignored.
    """
    with warehouse.admin() as admin:
        admin.execute("BEGIN; CREATE TABLE kept AS TABLE earlier_events; COMMIT")
    for minute in range(180):
        warehouse.remember_failure(TWO_DAYS_AGO + (250 + minute) * MINUTE, "192.0.2.1", "admin")
        if minute % 4 == 0:
            warehouse.remember_failure(TWO_DAYS_AGO + (250 + minute) * MINUTE, "192.0.2.3", "admin")
    for second in range(60):
        at = TWO_DAYS_AGO + timedelta(days=1, hours=9, seconds=second)
        warehouse.remember_failure(at, "192.0.2.[2]", "admin")
        warehouse.remember_failure(at, "203.0.113.9", "admin")
    yield warehouse
    with warehouse.admin() as admin:
        admin.execute("BEGIN; TRUNCATE earlier_events; INSERT INTO earlier_events TABLE kept; DROP TABLE kept; COMMIT")


@pytest.fixture
def include(tmp_path: Path, attacked: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "default.yaml").write_text(MONITOR)
    (tmp_path / "sql").symlink_to(Path(__file__).parents[2] / "include" / "sql")
    define(monkeypatch, attacked)
    return tmp_path


def define(monkeypatch: pytest.MonkeyPatch, warehouse: Warehouse, **changed: Any) -> None:
    connection = {"conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "auth_monitor",
                  "password": "auth_monitor", "schema": "dev", "extra": {"ssl": False}}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(connection | changed))


def tuned(include: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    until = (TWO_DAYS_AGO + timedelta(days=2)).isoformat()
    status = main(["--include", str(include), "--days", "2", "--until", until, *arguments])
    printed = capsys.readouterr()
    return status, re.sub(r"\s+", " ", re.sub(r"[^\w\s./,:;'\[\]-]", " ", printed.out + printed.err))


def test_it_says_how_many_alerts_each_threshold_would_have_given_and_to_which_groups(
    include: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = tuned(include, capsys)
    assert status == 0
    assert "redshift_auth_failure_alert: 48 intervals" in said
    assert f"{TWO_DAYS_AGO:%Y-%m-%d} 4 / 1 4 / 1 4 / 1 0 / 0 0 / 0" in said
    assert f"{TWO_DAYS_AGO + timedelta(days=1):%Y-%m-%d} 1 / 1 1 / 1 1 / 1 1 / 1 0 / 0" in said
    assert "in all 5 / 2 5 / 2 5 / 2 1 / 1 0 / 0" in said
    assert "192.0.2.1 4 4 4 0 0" in said
    assert "192.0.2.[2] 1 1 1 1 0" in said
    assert "192.0.2.3 4 0 0 0 0" in said
    assert "203.0.113.9" not in said, "it is on the ignore list"


def test_it_says_how_many_intervals_the_log_does_not_show(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long_ago = (TWO_DAYS_AGO - timedelta(days=20)).isoformat()
    said = tuned(include, capsys, "--until", long_ago, "--days", "1")[1]
    assert "24 of 24 intervals are unseen and not counted; the first: " in said
    assert "aged out of STL_CONNECTION_LOG" in said


def test_a_monitor_that_is_not_there_is_named(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = tuned(include, capsys, "--monitor", "x")
    assert (status, "no monitor x; valid: redshift_auth_failure_alert" in said) == (1, True)


def test_a_refused_login_says_what_to_fix(
    include: Path, attacked: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    define(monkeypatch, attacked, password="wrong")
    status, said = tuned(include, capsys)
    assert (status, "check user and password of the connection" in said) == (1, True)


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--days", "32"], ["--until", "2026-03-01T00:00:00"]])
def test_bad_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert arguments[0] in capsys.readouterr().err


def test_the_intervals_are_those_of_the_schedule() -> None:
    noon = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
    found = past_intervals("*/30 * * * *", noon, 1)
    assert found[-1] == Interval(noon - 40 * MINUTE, noon - 10 * MINUTE)
    assert found[0] == Interval(noon - 1420 * MINUTE, noon - 1390 * MINUTE)
    assert len(found) == 47


def test_the_dag_for_mwaa_prints_the_same_tables(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = include / "tune_thresholds.py"
    (include / "include").symlink_to(include)
    example.write_text((ROOT / "docs" / "examples" / "tune_thresholds.py").read_text())
    task = runpy.run_path(str(example))["dag"].get_task("tune")
    task.python_callable({"monitor": DAG_ID, "days": 1})
    assert "redshift_auth_failure_alert: 2" in capsys.readouterr().out
