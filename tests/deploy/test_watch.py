"""What ``make deploy`` prints for the alarms: the parameters of each stack that the monitors need."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.watch import watched_by
from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.monitors import DAG_ID, Monitor
from tests.deploy.conftest import Run
from tests.deploy.stack import TEMPLATE

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
HEADING = "Parameters of deploy/template.yaml for alarms on these monitors:\n"


def monitor(name: str = "", *, namespace: str | None = "RedshiftAuthAlert", **given: Any) -> Monitor:
    settings = Settings(environment="test", sns_topic_arn=TOPIC, metrics_namespace=namespace, **given)
    return Monitor(dag_id=f"{DAG_ID}__{name}" if name else DAG_ID, file=Path("a.yaml"), settings=settings)


def listed(said: str) -> list[list[str]]:
    """The monitors of each stack."""
    return [found.split(",") for found in re.findall(r"^  .*Monitors=(\S+)$", said, re.MULTILINE)]


def test_monitors_are_named_after_their_files_and_warehouses() -> None:
    assert watched_by([monitor(), monitor("lab.eu-1"), monitor("fleet__sales")]) == (
        f"{HEADING}  MetricNamespace=RedshiftAuthAlert ScheduleSeconds=1800 Monitors=default,lab.eu-1,fleet__sales"
    )


def test_a_monitor_of_another_schedule_names_its_seconds() -> None:
    said = watched_by([monitor("a"), monitor("b", schedule="0 * * * *"), monitor("c")])
    assert said == f"{HEADING}  MetricNamespace=RedshiftAuthAlert ScheduleSeconds=1800 Monitors=a,b:3600,c"


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        pytest.param("*/5 * * * *", 300, id="every five minutes"),
        pytest.param("0 6 * * *", 86_400, id="daily"),
        pytest.param("0 6,18 * * *", 43_200, id="twice a day"),
        pytest.param("0,10 * * * *", 3000, id="unevenly"),
        pytest.param("*/5 8-18 * * 1-5", 219_900, id="in office hours, and so not from Friday to Monday"),
    ],
)
def test_the_seconds_are_those_of_the_longest_interval(schedule: str, seconds: int) -> None:
    assert f"ScheduleSeconds={seconds} Monitors=a" in watched_by([monitor("a", schedule=schedule)])


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param("0 6 * * 1", id="weekly"),
        pytest.param("0 0 1 * *", id="monthly"),
        pytest.param("0 0 1 1 *", id="yearly"),
        pytest.param("0 6 * 6 *", id="daily in June"),
        pytest.param("0 6 * 1-6,8-12 *", id="daily but in July"),
    ],
)
def test_a_monitor_that_pauses_for_longer_than_an_alarm_looks_back_is_named(schedule: str) -> None:
    said = watched_by([monitor("a"), monitor("b", schedule=schedule)])
    assert said.endswith("Monitors=a\nNo alarm watches b: its schedule pauses for more than 3.5 days.")


def test_a_monitor_without_metrics_is_named() -> None:
    said = watched_by([monitor("a", namespace=None)])
    assert said == "No alarm watches a: it sends no metrics; set metrics_namespace."


def test_a_monitor_that_runs_dry_is_named() -> None:
    said = watched_by([monitor("a"), monitor("b", dry_run=True)])
    assert said.endswith("Monitors=a\nNo alarm watches b: its runs are dry, so they send no metrics; remove dry_run.")


def test_a_monitor_that_starts_much_later_is_named() -> None:
    said = watched_by([monitor("a"), monitor("b", start_date="2999-01-31")])
    assert said.endswith("Monitors=a\nNo alarm watches b: it starts at 2999-01-31 00:00:00 UTC; deploy again then.")


@pytest.mark.parametrize(("days", "alarms"), [(2, 1), (4, 0)])
def test_a_monitor_that_starts_soon_has_its_alarm(days: int, alarms: int) -> None:
    start = datetime.now(UTC) + timedelta(days=days)
    assert len(listed(watched_by([monitor("a", start_date=start)]))) == alarms


def test_each_namespace_needs_a_stack_of_its_own() -> None:
    said = watched_by([monitor("a"), monitor("b", namespace="Other"), monitor("c")])
    assert said.startswith(
        f"{HEADING}  MetricNamespace=Other ScheduleSeconds=1800 Monitors=b\n"
        "  MetricNamespace=RedshiftAuthAlert ScheduleSeconds=1800 Monitors=a,c\n"
        "One stack cannot watch them all: create 2, each with one of these lines."
    )


def test_99_warehouses_of_forty_characters_fit_into_one_stack() -> None:
    assert len(listed(watched_by(monitor(f"{'w' * 36}_{number:03}") for number in range(99)))) == 1


def test_no_list_is_longer_than_a_parameter_may_be_and_no_monitor_is_lost() -> None:
    names = [f"{'w' * 46}_{number:03}" for number in range(100)]
    first, second = listed(watched_by(monitor(name) for name in names))
    assert sorted(first + second) == names
    assert 4046 <= len(",".join(first)) <= 4096


def test_no_stack_has_more_alarms_than_its_resources_allow() -> None:
    said = watched_by(monitor(f"m{number}") for number in range(451))
    assert [len(stack) for stack in listed(said)] == [450, 1]


def test_names_that_differ_in_punctuation_alone_come_into_different_stacks() -> None:
    said = watched_by([monitor("a_b"), monitor("a-b"), monitor("c")])
    assert listed(said) == [["a_b", "c"], ["a-b"]]
    assert said.endswith("and no two names that differ in punctuation alone.")


def test_the_template_takes_what_is_printed() -> None:
    said = watched_by([monitor(), monitor("lab.eu-1", schedule="0 6 * * *"), monitor("fleet__sales")])
    pattern = TEMPLATE["Parameters"]["Monitors"]["AllowedPattern"]
    assert [name for name in listed(said)[0] if not re.fullmatch(pattern, name)] == []
    given = set(re.findall(r"(\w+)=", said))
    assert given == {"MetricNamespace", "ScheduleSeconds", "Monitors"}
    assert given <= TEMPLATE["Parameters"].keys()


def test_a_deployment_prints_the_parameters_last(run: Run, edited: Path) -> None:
    other = edited / "include" / "monitors" / "sales.yaml"
    other.write_text(f"environment: test\nsns_topic_arn: {TOPIC}\nmetrics_namespace: RedshiftAuthAlert\n")
    assert run()[1].endswith("ScheduleSeconds=1800 Monitors=default,sales\n")


def test_a_dry_run_prints_them_too(run: Run) -> None:
    assert run("deploy", "--dry-run")[1].endswith(" Monitors=default\n")


def test_a_removal_does_not(run: Run) -> None:
    run()
    assert "Monitors=" not in run("undeploy")[1]
