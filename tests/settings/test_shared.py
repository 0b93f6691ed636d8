"""``_shared.yaml``: what all monitors have unless their files say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from tests.conftest import TOPIC
from tests.settings.conftest import VALID

OTHER = "arn:aws:sns:eu-central-1:123456789012:other"


def load(folder: Path, **files: str) -> tuple[list[Monitor], list[str]]:
    for stem, content in files.items():
        (folder / f"{stem}.yaml").write_text(content)
    return load_monitors(folder)


def test_a_monitor_has_what_is_shared(tmp_path: Path) -> None:
    (monitor,), problems = load(tmp_path, _shared=f"{VALID}threshold: 7\n", default="conn_id: mine\n")
    assert (monitor.settings.threshold, monitor.settings.conn_id, problems) == (7, "mine", [])


def test_a_monitors_own_value_goes_before_the_shared_one(tmp_path: Path) -> None:
    (monitor,), _ = load(tmp_path, _shared=f"{VALID}threshold: 7\n", default="threshold: 8\n")
    assert monitor.settings.threshold == 8


def test_a_monitors_own_ignore_list_replaces_the_shared_one(tmp_path: Path) -> None:
    lists = [f"ignore: [{{remote_host: 192.0.2.{last}, reason: x}}]\n" for last in (1, 2)]
    (monitor,), _ = load(tmp_path, _shared=VALID + lists[0], default=lists[1])
    assert [entry.remote_host for entry in monitor.settings.ignore] == ["192.0.2.2"]


def test_it_is_no_monitor(tmp_path: Path) -> None:
    assert load(tmp_path, _shared=VALID) == ([], [f"{tmp_path}: no monitor file; add one, for example default.yaml"])


def test_it_may_hold_the_first_date(tmp_path: Path) -> None:
    (monitor,), _ = load(tmp_path, _shared=f"{VALID}start_date: 2026-01-31\n", default="threshold: 8\n")
    assert monitor.settings.start_date.day == 31


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("threshold: 0", "threshold is 0: Input should be greater than or equal to 1; valid: an integer from 1 to "),
        ("treshold: 5", "unknown setting 'treshold'; did you mean 'threshold'? valid here: threshold, dry_run, "),
        ("warehouses: [{name: a}]", "warehouses can be set in a monitor file only; this"),
        ("warehouse: sales", "warehouse can be set in a monitor file only; this"),
        ("start: 2026-01-01T00:00:00Z", "start can be set for a manual run only; this"),
        ("end: 2026-01-01T00:00:00Z", "end can be set for a manual run only; this"),
        ("check_only: true", "check_only can be set for a manual run only; this"),
        ("a: [", "not valid YAML: "),
    ],
)
def test_what_is_wrong_in_it_is_reported_once_and_stops_all_monitors(tmp_path: Path, line: str, says: str) -> None:
    monitors, (problem,) = load(tmp_path, _shared=f"{VALID}{line}\n", a="threshold: 3\n", b="threshold: 4\n")
    assert monitors == []
    assert problem.startswith(f"{tmp_path / '_shared.yaml'}: {says}")
    assert problem.endswith("; this stops all monitors")


def test_all_that_is_wrong_in_it_is_one_message(tmp_path: Path) -> None:
    _, (problem,) = load(tmp_path, _shared="threshold: 0\nwindow_minutes: 0\n", a=VALID, b=VALID)
    assert "threshold is 0: " in problem
    assert "; and window_minutes is 0: " in problem


@pytest.mark.parametrize(("content", "says"), [("", "is empty; write "), ("- a", "holds ['a']; valid: settings as ")])
def test_without_settings_it_is_refused(tmp_path: Path, content: str, says: str) -> None:
    monitors, (problem,) = load(tmp_path, _shared=content, a=VALID)
    assert monitors == []
    assert problem.startswith(f"{tmp_path / '_shared.yaml'}: {says}")
    assert problem.endswith("; this stops all monitors")


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_shared.yaml").symlink_to(tmp_path / "not_there")
    monitors, (problem,) = load(tmp_path, a=VALID)
    assert monitors == []
    assert problem == f"{tmp_path / '_shared.yaml'}: cannot be read: No such file or directory; this stops all monitors"


def test_a_monitors_own_invalid_value_is_its_files_problem(tmp_path: Path) -> None:
    (other,), (problem,) = load(tmp_path, _shared=VALID, a="threshold: 0\n", b="threshold: 4\n")
    assert other.file.name == "b.yaml"
    assert problem.startswith(f"{tmp_path / 'a.yaml'}: threshold is 0: ")
    assert "this stops" not in problem


def test_a_setting_that_stands_nowhere_is_missing_in_the_monitors_file(tmp_path: Path) -> None:
    _, problems = load(tmp_path, _shared="environment: test\n", a="threshold: 3\n")
    assert problems == [
        f"{tmp_path / 'a.yaml'}: sns_topic_arn is missing; valid: an SNS topic ARN, or a template such as "
        "{{ var.value.NAME }} in a monitor file"
    ]


def test_a_shared_value_that_a_monitor_does_not_bear_names_both_files_and_stops_only_that_one(tmp_path: Path) -> None:
    shared, own = f"{VALID}settle_minutes: 7\n", "source: audit_log_s3\nathena_conn_id: athena\n"
    (other,), (problem,) = load(tmp_path, _shared=shared, a=own, b="threshold: 4\n")
    assert other.file.name == "b.yaml"
    assert problem.startswith(f"{tmp_path / '_shared.yaml'}: settle_minutes is 7: too soon for source audit_log_s3, ")
    assert problem.endswith("; valid: an integer from 120 to 1440; this stops a.yaml")


def test_what_stops_many_monitors_is_reported_once_and_names_the_first_three(tmp_path: Path) -> None:
    shared = f"{VALID}source: audit_log_s3\nathena_conn_id: athena\nsettle_minutes: 7\n"
    monitors, (problem,) = load(tmp_path, _shared=shared, **dict.fromkeys("abcde", "threshold: 3\n"))
    assert monitors == []
    assert problem.endswith("; this stops a.yaml, b.yaml, c.yaml and 2 more")


def test_a_value_of_the_monitor_that_the_shared_ones_do_not_bear_is_its_files_problem(tmp_path: Path) -> None:
    _, (problem,) = load(tmp_path, _shared=f'{VALID}schedule: "0 * * * *"\n', a="remind_every_minutes: 30\n")
    assert problem.startswith(f"{tmp_path / 'a.yaml'}: remind_every_minutes is 30: shorter than the schedule's ")


@pytest.mark.parametrize("name", ["_other.yaml", "_shared.yml", "__a.yaml", "_.yaml"])
def test_another_name_that_begins_with_an_underscore_is_reserved(folder: Path, name: str) -> None:
    (folder / name).write_text(VALID)
    monitors, problems = load_monitors(folder)
    assert [monitor.file.name for monitor in monitors] == ["default.yaml"]
    assert problems == [
        f"{folder / name}: names that begin with '_' are reserved; valid: _shared.yaml for shared settings"
    ]


@pytest.mark.parametrize(("own", "file"), [("threshold: 3\n", "_shared.yaml"), (f"sns_topic_arn: {OTHER}\n", "a.yaml")])
def test_a_monitor_knows_in_which_file_a_setting_stands(tmp_path: Path, own: str, file: str) -> None:
    (monitor,), _ = load(tmp_path, _shared=f"environment: test\nsns_topic_arn: {TOPIC}\n", a=own)
    assert monitor.place_of("sns_topic_arn") == str(tmp_path / file)


def test_a_task_reads_it_too(tmp_path: Path) -> None:
    load(tmp_path, _shared=f"{VALID}threshold: 7\n", a="conn_id: a\n", b="conn_id: b\n")
    (monitor,), _ = load_monitors(tmp_path, only="redshift_auth_failure_alert__b")
    assert (monitor.settings.conn_id, monitor.settings.threshold) == ("b", 7)
