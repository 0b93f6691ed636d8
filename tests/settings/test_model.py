from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import RunSettings, Settings, per_run_names, schemas
from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from tests.conftest import ROOT, TOPIC

VALID = f"environment: test\nsns_topic_arn: {TOPIC}\n"
MONITOR = Settings.model_validate({"environment": "test", "sns_topic_arn": TOPIC})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "default.yaml").write_text(VALID)
    return tmp_path


def load(folder: Path) -> tuple[dict[str, Monitor], str]:
    monitors, problems = load_monitors(folder)
    return {monitor.dag_id: monitor for monitor in monitors}, "\n".join(problems)


def test_default_yaml_gives_the_plain_dag_id(folder: Path) -> None:
    assert list(load(folder)[0]) == ["redshift_auth_failure_alert"]


def test_another_file_gives_its_name_to_the_dag_id(folder: Path) -> None:
    (folder / "spraying.yaml").write_text(VALID)
    assert "redshift_auth_failure_alert__spraying" in load(folder)[0]


def test_the_shipped_monitor_is_valid() -> None:
    monitors, problems = load_monitors(ROOT / "include" / "monitors")
    assert (len(monitors), problems) == (1, [])


def test_the_examples_are_valid_and_are_not_loaded_where_they_lie() -> None:
    monitors, problems = load_monitors(ROOT / "include" / "monitors" / "examples")
    assert (len(monitors), problems) == (3, [])


def test_defaults_are_those_of_the_lambda() -> None:
    assert (MONITOR.threshold, MONITOR.window_minutes, MONITOR.group_by, MONITOR.schedule) == (
        10, 30, ("remote_host",), "*/30 * * * *",
    )  # fmt: skip


BOUNDS = [(name, schema["minimum"], schema["maximum"]) for name, schema in schemas().items() if "minimum" in schema]


@pytest.mark.parametrize(("name", "lowest", "highest"), BOUNDS)
def test_both_bounds_are_taken(name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert (
            getattr(Settings.model_validate(MONITOR.model_dump() | {"schedule": "* * * * *", name: value}), name)
            == value
        )


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, low, high in BOUNDS for v in (low - 1, high + 1)])
def test_beyond_a_bound_is_refused_with_file_key_value_and_what_is_valid(folder: Path, name: str, value: int) -> None:
    (folder / "bad.yaml").write_text(f"{VALID}{name}: {value}\n")
    monitors, problem = load(folder)
    assert list(monitors) == ["redshift_auth_failure_alert"]
    assert "bad.yaml" in problem
    assert f"{name} is {value}: " in problem
    assert "valid: an integer from " in problem


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("treshold: 5", "unknown setting 'treshold'; did you mean 'threshold'?"),
        ("start: 2026-01-01T00:00:00Z", "unknown setting 'start'"),
        ("threshold: ten", "threshold is 'ten'"),
        ("threshold: true", "threshold is True"),
        ("threshold: 9.5", "threshold is 9.5"),
        ("threshold: null", "threshold is None"),
        ("dry_run: 1", "dry_run is 1"),
        ("source: stl", "valid: one of stl_connection_log, sys_connection_log"),
        ("group_by: []", "group_by is []"),
        ("group_by: [pid]", "valid: one or more of remote_host, user_name, database_name"),
        ("group_by: [user_name, user_name]", "names a column twice"),
        ("group_by: remote_host", "group_by is 'remote_host'"),
        ("schedule: hourly", "cannot be read; valid: a cron expression of five fields"),
        ("schedule: '0 0 0 * * *'", "cannot be read; valid: a cron expression of five fields"),
        ("schedule: '61 * * * *'", "cannot be read; valid: a cron expression of five fields"),
        ("schedule: '0 0 30 2 *'", "schedule is '0 0 30 2 *': never comes"),
        ("start_date: 1999-12-31", "lies outside of the years 2000 to 2999"),
        ("start_date: 3000-01-01", "lies outside of the years 2000 to 2999"),
        (
            "start_date: 0001-01-01T00:00:00+14:00",
            "start_date is 0001-01-01T00:00:00+14:00: lies outside of the years 2000 to 2999",
        ),
        ("start_date: 2026-13-01", "not valid YAML: month must be in 1..12"),
        ("threshold: 5\nthreshold: 7", "not valid YAML: threshold stands twice"),
        ("5: 1", "unknown setting 5"),
        ("start_date: soon", "valid: a date, such as 2026-01-31, or a time with its zone"),
        ("start_date: 2026-01-31T10:00:00", "has no time zone, and none is guessed"),
        ('environment: "a\\nb"', "environment is"),
        ("environment: prod-ü", "environment is"),
        ("conn_id: 'a b'", "conn_id is 'a b'"),
        ("sns_topic_arn: my-topic", "valid: an SNS topic ARN, or a {{ template }} in a monitor file"),
        ("sns_topic_arn: 'x {{ var.value.T }}'", "sns_topic_arn is"),
        ("when_unseen: ignore", "valid: one of fail, warn"),
        ("count: users", "valid: one of failures, distinct user_name, distinct remote_host, distinct database_name"),
        ("count: distinct remote_host", "each group has one value of a column that group_by holds"),
        ("remind_every_minutes: 29", "shorter than the schedule's interval of 30 minutes"),
        ("display_timezone: Europe/Berln", "not a time zone; did you mean 'Europe/Berlin'"),
        ("display_timezone: CET+1", "valid: an IANA time zone such as Europe/Berlin"),
        ("message_format: html", "valid: one of text, json, chat"),
        ("notify_when_over: 1", "valid: true or false"),
        ("ignore: {reason: x}", "valid: a list of up to 100 entries"),
        ("ignore: [192.0.2.1]", "ignore entry 1 is '192.0.2.1'"),
        ("ignore: [{reason: x}]", "ignore entry 1 is {'reason': 'x'}: selects nothing; name one or more of"),
        ("ignore: [{remote_host: 192.0.2.1}]", "ignore entry 1: reason is missing; valid: 1 to 200 printable"),
        ("ignore: [{remote_host: 192.0.2.1, reason: ''}]", "ignore entry 1: reason is ''"),
        (r'ignore: [{remote_host: 192.0.2.1, reason: "a\nb"}]', r"ignore entry 1: reason is 'a\nb'"),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x}, {remote_host: 10.0.0/8, reason: x}]",
            "ignore entry 2: remote_host is '10.0.0/8': '10.0.0/8' does not appear to be an IPv4 or IPv6 network; ",
        ),
        ("ignore: [{remote_host: 10.0.0.1/8, reason: x}]", "10.0.0.1/8 has host bits set; valid: an address such as"),
        ("ignore: [{remote_host: 192.0.2.1, reason: x, until: soon}]", "until is 'soon': Invalid isoformat string"),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x, untill: 2026-01-01}]",
            "unknown key 'untill'; did you mean 'until'?",
        ),
        ("ignore: [{user_name: etl, reason: x}]", "ignore entry 1 selects nothing: group_by holds no user_name"),
        ("thresholds: [{remote_host: 192.0.2.1, threshold: 0}]", "thresholds entry 1: threshold is 0"),
        ("thresholds: [{remote_host: 192.0.2.1}]", "thresholds entry 1: threshold is missing"),
        ("thresholds: [{threshold: 5}]", "thresholds entry 1 is {'threshold': 5}: selects nothing"),
        ("remind_every_minutes: 0", "valid: an integer from 1 to 10080, or null"),
    ],
)
def test_a_bad_line_is_refused_while_the_other_monitors_load(folder: Path, line: str, says: str) -> None:
    rest = [each for each in VALID.splitlines() if each.split(":")[0] != line.split(":", maxsplit=1)[0]]
    (folder / "bad.yaml").write_text("\n".join([*rest, line]))
    monitors, problem = load(folder)
    assert list(monitors) == ["redshift_auth_failure_alert"]
    assert "bad.yaml" in problem
    assert says in problem


def test_a_missing_required_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("threshold: 5\n")
    assert "environment is missing" in load(tmp_path)[1]
    assert "sns_topic_arn is missing" in load(tmp_path)[1]


@pytest.mark.parametrize(("content", "says"), [("a: [", "not valid YAML"), ("", "holds None"), ("- a", "holds ['a']")])
def test_a_file_that_holds_no_settings_is_refused(folder: Path, content: str, says: str) -> None:
    (folder / "bad.yaml").write_text(content)
    assert says in load(folder)[1]


def test_two_files_that_give_one_dag_id_are_both_named(folder: Path) -> None:
    (folder / "default.yml").write_text(VALID)
    monitors, problem = load(folder)
    assert monitors == {}
    assert "default.yaml and " in problem
    assert "both give the DAG redshift_auth_failure_alert" in problem


def test_a_file_name_that_makes_no_dag_id_is_refused(folder: Path) -> None:
    (folder / "my monitor.yaml").write_text(VALID)
    assert "must consist of letters" in load(folder)[1]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "no monitor file" in load(tmp_path)[1]


def test_a_template_is_taken_as_topic_in_a_monitor_file(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text('environment: test\nsns_topic_arn: "{{ var.value.topic }}"\n')
    assert load(tmp_path)[1] == ""


def test_overrides_change_only_what_they_name() -> None:
    run = MONITOR.for_run({"threshold": 3, "group_by": ["user_name"]})
    assert (run.threshold, run.group_by, run.window_minutes) == (3, ("user_name",), 30)


def test_a_run_without_overrides_has_the_monitors_settings() -> None:
    assert MONITOR.for_run(None) == RunSettings.model_validate(MONITOR.model_dump())


def test_the_trigger_form_may_send_all_its_fields_back() -> None:
    form = {name: value for name, value in MONITOR.model_dump(mode="json").items() if name in per_run_names()}
    assert MONITOR.for_run(form | {"start": None, "end": None, "sns_topic_arn": None}) == MONITOR.for_run({})


def test_a_run_may_have_its_own_ignore_list() -> None:
    entry = {"remote_host": "192.0.2.1", "reason": "a test", "until": "2026-12-31"}
    assert MONITOR.for_run({"ignore": [entry]}).ignore[0].until == date(2026, 12, 31)


def test_a_run_grouped_in_another_way_says_what_to_do_with_the_monitors_entries() -> None:
    own = Settings.model_validate(
        MONITOR.model_dump() | {"ignore": [{"remote_host": "192.0.2.1", "reason": "BI gateway"}]}
    )
    with pytest.raises(SettingsError, match="give a run that overrides group_by its own list, such as"):
        own.for_run({"group_by": ["user_name"]})
    assert own.for_run({"group_by": ["user_name"], "ignore": []}).ignore == ()


def test_times_are_read_with_their_zone() -> None:
    run = MONITOR.for_run({"start": "2026-03-01T13:00:00+01:00", "end": "2026-03-01T13:00:00Z"})
    assert (run.start, run.end) == (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"treshold": 5}, "unknown setting 'treshold'; did you mean 'threshold'?"),
        ({"treshold": None}, "unknown setting 'treshold'"),
        ({"threshold": None}, "threshold is None"),
        ({"threshold": "5"}, "threshold is '5'"),
        ({"threshold": 0}, "threshold is 0: "),
        ({"schedule": "* * * * *"}, "schedule can be set in a monitor file only"),
        ({"aws_conn_id": "x"}, "aws_conn_id can be set in a monitor file only"),
        ({"sns_topic_arn": "{{ conn.x.password }}"}, "a template is taken in a monitor file only"),
        ({"start": "2026-03-01T12:00:00"}, "has no time zone, and none is guessed"),
        ({"end": "2026-03-01"}, "has no time zone, and none is guessed"),
        ({"end": "yesterday"}, "valid: an ISO 8601 time with its zone"),
        ({"end": 1_770_000_000}, "end is 1770000000: not a time"),
        ({"end": "9999-12-31T23:59:59Z"}, "lies outside of the years 2000 to 2999"),
        ({"end": "0001-01-01T00:00:00+14:00"}, "lies outside of the years 2000 to 2999"),
        ({"conn_id": "x'; DROP"}, "conn_id is"),
        ("threshold=5", "hold 'threshold=5'; valid: a JSON object of settings"),
    ],
)
def test_a_bad_override_is_refused(overrides: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=r"^run overrides: ") as refused:
        MONITOR.for_run(overrides)
    assert says in str(refused.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        MONITOR.for_run({"threshold": 0, "window_minutes": 0})
    assert "threshold" in str(refused.value)
    assert "window_minutes" in str(refused.value)


def test_a_settings_object_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        MONITOR.threshold = 1


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_setting_says_in_a_line_what_it_means(name: str) -> None:
    assert 15 < len(schemas()[name]["description"]) < 140
