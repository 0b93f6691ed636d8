"""A run over a fleet with an unseen warehouse: what is found at the others is published, and then the run fails."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.log_files import ConnectionEvent
from tests.conftest import NOON, ROOT, candidates, make_run
from tests.detection.s3 import Logs
from tests.detection.test_fleet import FLEET, QUIET, THIN, failures, stopped
from tests.tasks.conftest import OutletEvents, Pushed, Variables

HOUR = timedelta(hours=1)
DOWN = {"down": stopped(-HOUR)}
LATE = {"late": stopped(timedelta())}
NAMES_IT = "1 of 4 warehouses was not evaluated: down has stopped: its newest event is of 2026-03-01 11:00:00 UTC"
QUIETS = {"sales": QUIET, "ops": QUIET, "lab": QUIET}
Events = dict[str, list[ConnectionEvent]]


@pytest.fixture
def check_fleet(tmp_path: Path) -> Any:
    """The branch that a run over warehouses with these events takes, and what it pushes."""
    from redshift_auth_alert.tasks.check import check_threshold

    def check(by_warehouse: Events, **settings: Any) -> tuple[str, Pushed]:
        logs = Logs(tmp_path)
        logs.publish(by_warehouse)
        run, pushed = make_run(**FLEET | settings), Pushed()
        found = json.loads(json.dumps(candidates(logs.measure(run), run)))
        return check_threshold(found, run, pushed), pushed

    return check


def test_a_breach_beside_an_unseen_warehouse_is_published_and_the_reason_is_kept(check_fleet: Any) -> None:
    branch, pushed = check_fleet(THIN | DOWN)
    assert branch == "publish_alert"
    assert "at 3 warehouses: lab, ops, sales" in pushed["body"]
    assert pushed["unseen"].startswith(NAMES_IT)


def test_the_subject_names_the_fleet(check_fleet: Any) -> None:
    assert check_fleet(THIN)[1]["subject"].startswith("[ALERT] (test) fleet-123456789012: 1 remote host")


@pytest.mark.parametrize(
    ("settings", "named"), [({"warehouse": "all-dwh"}, "all-dwh"), ({"cluster": "sales"}, "sales")]
)
def test_the_subject_names_what_the_settings_say(check_fleet: Any, settings: dict[str, str], named: str) -> None:
    assert check_fleet(THIN, threshold=3, **settings)[1]["subject"].startswith(f"[ALERT] (test) {named}: ")


def test_with_nothing_to_report_an_unseen_warehouse_fails_the_check_and_is_named(check_fleet: Any) -> None:
    with pytest.raises(AirflowFailException, match=NAMES_IT):
        check_fleet(QUIETS | DOWN)


def test_a_warehouse_seen_in_part_is_named_in_the_same_failure(check_fleet: Any) -> None:
    with pytest.raises(
        AirflowFailException, match=r"down has stopped.*; 1 of 5 warehouses was seen in part: late shows"
    ):
        check_fleet(QUIETS | DOWN | LATE)


def test_a_warehouse_seen_in_part_alone_is_reported_without_a_breach(check_fleet: Any) -> None:
    branch, pushed = check_fleet(QUIETS | LATE)
    assert (branch, pushed["attributes"]["severity"]) == ("publish_alert", "partial")
    assert "unseen" not in pushed


def test_a_fleet_that_is_seen_leaves_nothing_to_fail_for(check_fleet: Any) -> None:
    branch, pushed = check_fleet(THIN)
    assert (branch, "unseen" in pushed, "evaluated" in pushed) == ("publish_alert", False, True)


def test_a_dry_run_logs_the_message_and_fails_too(check_fleet: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowFailException, match=NAMES_IT):
        check_fleet(THIN | DOWN, dry_run=True)
    assert "at 3 warehouses: lab, ops, sales" in caplog.text


def test_an_unseen_warehouse_is_a_warning_where_the_monitor_says_so(
    check_fleet: Any, caplog: pytest.LogCaptureFixture
) -> None:
    branch, pushed = check_fleet(QUIETS | DOWN, when_unseen="warn")
    assert branch == "no_alert"
    assert pushed.keys() == {"summary", "unseen"}
    assert pushed["unseen"].startswith(NAMES_IT)
    assert NAMES_IT in caplog.text


def test_a_run_with_an_unseen_warehouse_leaves_the_record_of_failures_and_does_not_count_as_evaluated(
    check_fleet: Any, variables: Variables
) -> None:
    key = "redshift_auth_alert_failed_redshift_auth_failure_alert_scheduled"
    variables[key] = json.dumps({"missing": [NOON.isoformat(), (NOON + HOUR).isoformat()], "reported": {}})
    assert "evaluated" not in check_fleet(THIN | DOWN)[1]
    assert key in variables


def test_the_next_run_that_sees_all_takes_what_is_missing(check_fleet: Any, variables: Variables) -> None:
    key = "redshift_auth_alert_failed_redshift_auth_failure_alert_scheduled"
    variables[key] = json.dumps({"missing": [NOON.isoformat(), (NOON + HOUR).isoformat()], "reported": {}})
    check_fleet(THIN)
    assert json.loads(variables[key])["missing"] is None


def run_of(**settings: Any) -> Any:
    from redshift_auth_alert.tasks.run import Run

    monitor = Monitor(dag_id="dag", file=Path("default.yaml"), settings=make_run(**FLEET | settings).settings)
    return Run(monitor, ROOT / "include")


def context(pushed: dict[str, Any]) -> dict[str, Any]:
    """The context of a task after a check that has pushed this."""
    ti = SimpleNamespace(
        run_id="scheduled__1", dag_id="dag", pushed={},
        xcom_pull=lambda task_ids, key: pushed.get(key) if task_ids == "check_threshold" else ti.pushed.get(key),
        xcom_push=lambda key, value: ti.pushed.update({key: value}),
        get_task_states=lambda **_: {"scheduled__1": {"publish_alert": "success", "require_coverage": "failed"}},
    )  # fmt: skip
    dag_run = SimpleNamespace(
        run_id="scheduled__1", run_type="scheduled", logical_date=NOON, data_interval_start=NOON,
        data_interval_end=NOON + HOUR / 2, run_after=NOON + HOUR, start_date=NOON + HOUR, conf={},
    )  # fmt: skip
    task = SimpleNamespace(render_template=lambda template, _context: template)
    return {"ti": ti, "dag_run": dag_run, "task": task}


def test_require_coverage_fails_with_the_reason_and_keeps_it_for_the_report() -> None:
    of_run = context({"unseen": NAMES_IT})
    with pytest.raises(AirflowFailException, match=NAMES_IT):
        run_of().require_coverage(**of_run)
    assert of_run["ti"].pushed == {"reason": NAMES_IT}


@pytest.mark.parametrize(
    ("pushed", "when_unseen"), [({}, "fail"), ({"unseen": NAMES_IT}, "warn")], ids=["all seen", "a warning"]
)
def test_require_coverage_passes(pushed: dict[str, str], when_unseen: str) -> None:
    of_run = context(pushed)
    run_of(when_unseen=when_unseen).require_coverage(**of_run)
    assert of_run["ti"].pushed == {}


def test_what_require_coverage_raised_is_reported_once_an_hour() -> None:
    of_run = context({"unseen": NAMES_IT})
    with pytest.raises(AirflowFailException):
        run_of().require_coverage(**of_run)
    report = run_of().failure(of_run)
    assert report.message.subject == "[FAILED] (test) fleet-123456789012: not all warehouses evaluated"
    assert NAMES_IT in " ".join(report.message.body.split())
    report.keep()
    with pytest.raises(AirflowFailException, match="not published, as the same cause was reported at"):
        run_of().failure(of_run)


@pytest.mark.parametrize(
    ("pushed", "metrics"),
    [
        ({}, ["IntervalsEvaluated", "Failures"]),
        ({"unseen": NAMES_IT}, ["Failures"]),
    ],
    ids=["all seen", "one unseen"],
)
def test_what_was_found_is_written_after_publishing_but_evaluated_only_where_all_was_seen(
    monkeypatch: pytest.MonkeyPatch, pushed: dict[str, Any], metrics: list[str]
) -> None:
    from redshift_auth_alert.tasks import metrics as module

    written: list[str] = []
    monkeypatch.setattr(module, "_write", lambda _settings, _monitor, _type, values, **_: written.extend(values))
    run = run_of()
    event = SimpleNamespace(extra=None)
    of_run = context({"metrics": {"Failures": 12}, "document": {"kind": "alert"}} | pushed)
    run.after_publishing(of_run | {"outlet_events": OutletEvents([(run.breaches, event)])}, None)
    assert (written, event.extra) == (metrics, {"kind": "alert"})


def test_the_metrics_of_a_quiet_run_with_a_warning_do_not_count_it_as_evaluated(
    check_fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redshift_auth_alert.tasks import metrics as module

    written: list[str] = []
    monkeypatch.setattr(module, "_write", lambda _settings, _monitor, _type, values, **_: written.extend(values))
    check_fleet({"sales": QUIET + failures(3)} | DOWN, when_unseen="warn")
    assert written == ["Failures", "BreachingGroups"]
