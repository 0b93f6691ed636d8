"""Settings: defaults, bounds, rules between them, and a run's overrides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import RunSettings, Settings, per_run_names
from redshift_auth_alert.settings.wording import schemas
from tests.conftest import TOPIC

REQUIRED = {"environment": "test", "sns_topic_arn": TOPIC}
MONITOR = Settings.model_validate(REQUIRED)
FLEET = {"source": "sys_connection_log_s3", "athena_conn_id": "athena_default", "namespace": "123456789012_sys"}
BOUNDS = [(name, each["minimum"], each["maximum"]) for name, each in schemas(Settings).items() if "minimum" in each]


def test_defaults_are_those_of_the_lambda() -> None:
    assert (MONITOR.threshold, MONITOR.window_minutes, MONITOR.group_by, MONITOR.schedule) == (
        10, 30, ("remote_host",), "*/30 * * * *",
    )  # fmt: skip


def test_a_settings_object_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        MONITOR.threshold = 1


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, lowest, highest in BOUNDS for value in (lowest, highest)]
)
def test_a_bound_is_valid(name: str, value: int) -> None:
    settings = Settings.model_validate(REQUIRED | {"schedule": "* * * * *", name: value})
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, lowest, highest in BOUNDS for value in (lowest - 1, highest + 1)]
)
def test_a_value_beyond_a_bound_is_invalid(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate(REQUIRED | {"schedule": "* * * * *", name: value})


@pytest.mark.parametrize(
    "given",
    [
        {"user_parameter": "/redshift/user", "password_parameter": "/redshift/password"},
        {"source": "audit_log_s3", "athena_conn_id": "athena_default"},
        {"group_by": ["user_name"], "count": "distinct remote_host"},
        FLEET,
        FLEET | {"group_by": ["warehouse", "remote_host"], "ignore": [{"warehouse": "lab-*", "reason": "test data"}]},
        FLEET | {"catalog": "AwsDataCatalog", "expect_warehouses": ["sales", "lab-1"]},
        {"remind_every_minutes": 30},
        {"lockout_after": None},
        {"admin_users": ["admin", "IAM:dba_*"]},
        {"sns_topic_arn": "{{ var.value.topic }}"},
        {"sns_topic_arn": "{{ var.json.topics['alerts'] | trim }}"},
        {"sns_topic_arn": "{{ conn.get('topic').host }}"},
        {"metrics_namespace": "Security/Redshift"},
        {"warehouse": "Sales-DWH_1.eu"},
        {"warehouse": "w" * 64},
        {"start_date": "2026-01-31"},
        {"start_date": "2026-01-31T10:00:00+01:00"},
    ],
)
def test_it_is_valid(given: dict[str, Any]) -> None:
    assert Settings.model_validate(REQUIRED | given)


@pytest.mark.parametrize("warehouse", ["", "w" * 65, "sales dwh", "dwh\n", "d\u00fch", "dwh:x"])
def test_a_name_of_the_warehouse_that_no_subject_takes_is_invalid(warehouse: str) -> None:
    with pytest.raises(ValidationError, match="warehouse"):
        Settings.model_validate(REQUIRED | {"warehouse": warehouse})


@pytest.mark.parametrize(
    ("source", "connection"),
    [("sys_connection_log", "redshift"), ("audit_log_s3", "athena"), ("cloudtrail", "athena"), ("auto", "redshift")],
)
def test_the_source_decides_through_which_connection_it_is_queried(source: str, connection: str) -> None:
    settings = Settings.model_validate(REQUIRED | {"source": source, "conn_id": "redshift", "athena_conn_id": "athena"})
    assert settings.read_through == connection


@pytest.mark.parametrize("missing", ["namespace", "athena_conn_id"])
def test_the_tables_that_redshift_publishes_need(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Settings.model_validate(REQUIRED | {name: value for name, value in FLEET.items() if name != missing})


@pytest.mark.parametrize(
    ("given", "past"),
    [
        ({}, None),
        ({"namespace": "n_sys"}, None),
        ({"athena_conn_id": "athena"}, "audit_log_s3"),
        ({"athena_conn_id": "athena", "namespace": "n_sys", "cluster": "sales"}, "sys_connection_log_s3"),
    ],
)
def test_auto_reads_older_intervals_from(given: dict[str, str], past: str | None) -> None:
    assert Settings.model_validate(REQUIRED | {"source": "auto"} | given).past_source == past


def test_auto_reads_older_intervals_of_one_warehouse_only() -> None:
    auto = {"source": "auto", "athena_conn_id": "athena", "namespace": "n_sys"}
    with pytest.raises(ValidationError, match="source auto watches one; name that one as cluster"):
        Settings.model_validate(REQUIRED | auto)
    assert Settings.model_validate(REQUIRED | auto | {"cluster": "sales"}).cluster == "sales"


def test_overrides_change_only_what_they_name() -> None:
    run = MONITOR.for_run({"threshold": 3, "group_by": ["user_name"]})
    assert (run.threshold, run.group_by, run.window_minutes) == (3, ("user_name",), 30)


@pytest.mark.parametrize("overrides", [None, {}])
def test_a_run_without_overrides_has_the_monitors_settings(overrides: Any) -> None:
    assert MONITOR.for_run(overrides) == RunSettings.model_validate(MONITOR.model_dump())


def test_the_trigger_form_may_send_all_its_fields_back() -> None:
    form = {name: value for name, value in MONITOR.model_dump(mode="json").items() if name in per_run_names()}
    assert MONITOR.for_run(form | {"start": None, "end": None, "sns_topic_arn": None}) == MONITOR.for_run({})


def test_a_run_may_have_its_own_topic() -> None:
    assert MONITOR.for_run({"sns_topic_arn": f"{TOPIC}-test"}).sns_topic_arn == f"{TOPIC}-test"


def test_a_run_may_have_its_own_ignore_list() -> None:
    entry = {"remote_host": "192.0.2.1", "reason": "a test", "until": "2026-12-31"}
    assert MONITOR.for_run({"ignore": [entry]}).ignore[0].until == date(2026, 12, 31)


def test_a_run_grouped_in_another_way_can_do_without_the_monitors_entries() -> None:
    own = Settings.model_validate(REQUIRED | {"ignore": [{"remote_host": "192.0.2.1", "reason": "BI gateway"}]})
    with pytest.raises(SettingsError, match="a run that overrides group_by can override ignore too"):
        own.for_run({"group_by": ["user_name"]})
    assert own.for_run({"group_by": ["user_name"], "ignore": []}).ignore == ()


NAMED = Settings.model_validate(REQUIRED | FLEET | {"warehouse": "sales", "conn_id": "sales", "cluster": "sales-1"})


@pytest.mark.parametrize("override", [{"conn_id": "ops"}, {"cluster": "ops-1"}, {"namespace": "ops_sys"}])
def test_a_run_that_reads_another_warehouse_does_not_have_the_monitors_name_of_it(override: dict[str, str]) -> None:
    assert NAMED.for_run(override).warehouse is None


@pytest.mark.parametrize("override", [{"threshold": 3}, {"conn_id": "sales", "cluster": "sales-1"}])
def test_a_run_that_reads_the_same_warehouse_has_the_monitors_name_of_it(override: dict[str, Any]) -> None:
    assert NAMED.for_run(override).warehouse == "sales"


def test_times_are_read_with_their_zone() -> None:
    run = MONITOR.for_run({"start": "2026-03-01T13:00:00+01:00", "end": "2026-03-01T13:00:00Z"})
    assert (run.start, run.end) == (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"treshold": 5}, "unknown setting 'treshold'; did you mean 'threshold'? valid here: threshold, dry_run"),
        ({"treshold": None}, "unknown setting 'treshold'"),
        ({"threshold": None}, "threshold is None"),
        ({"threshold": "5"}, "threshold is '5'"),
        ({"threshold": 0}, "threshold is 0: "),
        ({"schedule": "* * * * *"}, "schedule can be set in a monitor file only"),
        ({"warehouses": []}, "warehouses can be set in a monitor file only"),
        ({"aws_conn_id": "x"}, "aws_conn_id can be set in a monitor file only"),
        (
            {"sns_topic_arn": "{{ conn.x.password }}"},
            "only a monitor file may hold a template; valid: an SNS topic ARN",
        ),
        ({"sns_topic_arn": f"{TOPIC}.fifo"}, f"sns_topic_arn is '{TOPIC}.fifo': a FIFO topic delivers to queues only"),
        ({"start": "2026-03-01T12:00:00"}, "start is '2026-03-01T12:00:00': has no time zone"),
        ({"end": "2026-03-01"}, "end is '2026-03-01': has no time zone"),
        ({"end": "yesterday"}, "end is 'yesterday': not a time; valid: an ISO 8601 time with its zone"),
        ({"end": 1_770_000_000}, "end is 1770000000: not a time"),
        ({"end": "9999-12-31T23:59:59Z"}, "outside the years 2000 to 2999"),
        ({"end": "0001-01-01T00:00:00+14:00"}, "outside the years 2000 to 2999"),
        ({"conn_id": "x'; DROP"}, 'conn_id is "x\'; DROP": not allowed; valid: 1 to 250 letters'),
        ({"check_only": 1}, "check_only is 1: "),
        (
            {"check_only": True, "start": "2026-03-01T12:00:00Z"},
            "check_only is True: a check evaluates no interval; remove start and end, or check_only; valid: true or",
        ),
        ({"check_only": True, "end": "2026-03-01T12:00:00Z"}, "a check evaluates no interval"),
        ("threshold=5", "hold 'threshold=5'; valid: a JSON object of settings"),
    ],
)
def test_a_bad_override_is_refused(overrides: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=r"^run overrides: ") as refused:
        MONITOR.for_run(overrides)
    assert says in str(refused.value)
