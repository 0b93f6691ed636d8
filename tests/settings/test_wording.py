"""What a message says about an unknown setting or an invalid value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.wording import schemas, valid_values, validated, written
from tests.conftest import TOPIC

Refused = Callable[[str], str]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("treshold: 5", "unknown setting 'treshold'; did you mean 'threshold'? valid here: threshold, dry_run, "),
        ("zzz: 5", "unknown setting 'zzz'; valid here: threshold, dry_run, "),
        ("5: 1", "unknown setting 5; valid here: "),
        ("start: 2026-01-01T00:00:00Z", "start can be set for a manual run only"),
        (
            "threshold: 0",
            "threshold is 0: Input should be greater than or equal to 1; valid: an integer from 1 to 1000000",
        ),
        ("threshold: ten", "threshold is 'ten': not a whole number; valid: an integer from 1 to 1000000"),
        ("threshold: true", "threshold is True: not a whole number; valid: "),
        ("threshold: 9.5", "threshold is 9.5: not a whole number; valid: "),
        ("threshold: .inf", "threshold is inf: not a whole number; valid: "),
        (f"threshold: {'9' * 5_000}", "not valid YAML: a number is too large"),
        ("threshold: null", "threshold is None: not a whole number; valid: "),
        ("dry_run: 1", "dry_run is 1: neither true nor false; valid: true or false"),
        ("notify_when_over: 1", "valid: true or false"),
        (
            "source: stl",
            "source is 'stl': unknown; valid: one of stl_connection_log, sys_connection_log, audit_log_s3, ",
        ),
        (
            "source: {source: sys_connection_log_s3}",
            "source is {'source': 'sys_connection_log_s3'}: unknown; valid: one of stl_connection_log, ",
        ),
        (
            "group_by: [warehouse, remote_host]",
            "source is 'stl_connection_log': it shows one warehouse, and group_by names warehouse; remove that, or set "
            "source: sys_connection_log_s3; valid: ",
        ),
        (
            "namespace: 'x\"; --'",
            "namespace is 'x\"; --': not allowed; valid: 1 to 255 letters, digits, '_' and '-', such ",
        ),
        ("catalog: a/b/c", "catalog is 'a/b/c': not allowed; valid: the name of a data catalog in Athena"),
        ("expect_warehouses: sales", "expect_warehouses is 'sales': not a list; valid: a list of up to 5,000"),
        ("expect_warehouses: [Sales]", "expect_warehouses is 'Sales': not allowed; valid: a list of up to 5,000"),
        (
            "ignore: [{warehouse: lab, reason: x}]",
            "ignore entry 1 matches nothing, as group_by lacks warehouse; remove",
        ),
        (
            "source: audit_log_s3",
            "athena_conn_id is missing: source audit_log_s3 is queried through Athena; set it to an Airflow connection "
            "of type athena",
        ),
        (
            "user_parameter: /u",
            "password_parameter is missing: user_parameter is set; set both, or neither",
        ),
        (
            "metrics_namespace: AWS/SNS",
            "metrics_namespace is 'AWS/SNS': AWS reserves namespaces that begin with AWS/; ",
        ),
        ("group_by: []", "group_by is []: empty; valid: one or more of remote_host, "),
        ("group_by: [pid]", "valid: one or more of remote_host, user_name, database_name"),
        ("group_by: [user_name, user_name]", "user_name appears twice; keep one; valid: one or more of remote_host"),
        (
            "group_by: remote_host",
            "group_by is 'remote_host': not a list; valid: one or more of remote_host, user_name, ",
        ),
        ("ignore: null", "ignore is None: not a list; valid: a list of up to 100 entries, see 'Ignore list'"),
        ("count: users", "valid: one of failures, distinct user_name, distinct remote_host, distinct database_name"),
        ("count: distinct remote_host", "a column of group_by has one value in each group; count another column"),
        ("schedule: hourly", "schedule is 'hourly': not a cron expression; valid: a cron expression of five fields"),
        ("schedule: '0 0 0 * * *'", "not a cron expression; valid: a cron expression of five fields"),
        ("schedule: '61 * * * *'", "not a cron expression; valid: a cron expression of five fields"),
        ("schedule: 'R * * * *'", "not a cron expression; valid: a cron expression of five fields"),
        ("schedule: '0 0 30 2 *'", "schedule is '0 0 30 2 *': matches no date; valid: "),
        (
            "start_date: soon",
            "start_date is 'soon': not a time; valid: a date, such as 2026-01-31, or a time with its zone",
        ),
        ("start_date: 2026-01-31T10:00:00", "start_date is 2026-01-31T10:00:00: has no time zone; valid: "),
        ("start_date: 1999-12-31", "start_date is 1999-12-31: outside the years 2000 to 2999"),
        ("start_date: 3000-01-01", "outside the years 2000 to 2999"),
        (
            "start_date: 0001-01-01T00:00:00+14:00",
            "start_date is 0001-01-01T00:00:00+14:00: outside the years 2000 to ",
        ),
        ('environment: "a\\nb"', r"environment is 'a\nb': not allowed; valid: 1 to 40 printable ASCII characters"),
        ("environment: prod-ü", "environment is 'prod-ü': not allowed; valid: 1 to 40 printable ASCII characters"),
        ("conn_id: 'a b'", "conn_id is 'a b': not allowed; valid: 1 to 250 letters, digits, '_', '.' and '-'"),
        (
            "sns_topic_arn: my-topic",
            "not allowed; valid: an SNS topic ARN, or a template such as {{ var.value.NAME }} in a monitor file",
        ),
        (
            "sns_topic_arn: '{{ var.value. }}'",
            "sns_topic_arn is '{{ var.value. }}': not a Jinja template (expected name or number); valid: an SNS topic "
            "ARN, or a template such as {{ var.value.NAME }} in",
        ),
        ("sns_topic_arn: '{{ }}'", "sns_topic_arn is '{{ }}': not a Jinja template (Expected an expression, got "),
        (f"sns_topic_arn: '{{{{ {'(' * 9_000}1 }}}}'", "not a Jinja template (nested too deeply)"),
        ("sns_topic_arn: '{{ var.value.x | uper }}'", "not a Jinja template (No filter named 'uper'.)"),
        (
            "sns_topic_arn: '{{ topik }}'",
            "sns_topic_arn is '{{ topik }}': topik is unknown in this template; it may use conn, dag, macros, params, ",
        ),
        ("sns_topic_arn: 'x {{ var.value.T }}'", "sns_topic_arn is 'x {{ var.value.T }}': not allowed"),
        (
            f"sns_topic_arn: {TOPIC}.fifo",
            f"sns_topic_arn is '{TOPIC}.fifo': a FIFO topic delivers to queues only, so mail, chat and functions "
            "cannot subscribe; name a standard topic; valid: an SNS topic ARN",
        ),
        (
            "lockout_after: 1",
            "lockout_after is 1: Input should be greater than or equal to 2; valid: an integer from 2 to 50",
        ),
        ("lockout_after: 51", "valid: an integer from 2 to 50, or null"),
        ("admin_users: admin", "admin_users is 'admin': not a list; valid: a list of up to 100 patterns of 1 to 127 "),
        (
            "admin_users: [dba, 7]",
            "admin_users is 7: not text; valid: a list of up to 100 patterns",
        ),
        (
            "admin_users: ['']",
            "admin_users is '': empty; valid: a list of up to 100 ",
        ),
        ("when_unseen: ignore", "valid: one of fail, warn"),
        ("message_format: html", "valid: one of text, json, chat, ocsf"),
        ("remind_every_minutes: 0", "valid: an integer from 1 to 10080, or null"),
        ("remind_every_minutes: 29", "shorter than the schedule's interval of 30 minutes"),
        ("display_timezone: Europe/Berln", "not a time zone; did you mean 'Europe/Berlin'? valid: an IANA time zone"),
        ("display_timezone: localtime", "display_timezone is 'localtime': not a time zone; valid: an IANA time zone "),
        ("display_timezone: Factory", "display_timezone is 'Factory': not a time zone; valid: an IANA time zone "),
        ("environment: ' '", "environment is ' ': blank; valid: 1 to 40 printable ASCII characters"),
        ("environment: on", "environment is True: not text; valid: 1 to 40 printable ASCII characters"),
        ("display_timezone: CET+1", "valid: an IANA time zone such as Europe/Berlin, or null"),
    ],
)
def test_a_bad_line_is_refused_with_name_value_reason_and_what_is_valid(refused: Refused, line: str, says: str) -> None:
    assert says in refused(line)


@pytest.mark.parametrize("line", ["source: audit_log_s3", "user_parameter: /u", "start: 2026-01-01T00:00:00Z"])
def test_where_only_one_thing_is_to_do_nothing_is_listed_as_valid(refused: Refused, line: str) -> None:
    assert "valid" not in refused(line)


def test_the_tables_of_redshift_need_a_namespace(refused: Refused) -> None:
    line = "source: sys_connection_log_s3\nsettle_minutes: 60\nathena_conn_id: athena"
    assert refused(line).startswith("namespace is missing: source sys_connection_log_s3 reads the tables of one; aws ")


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="environment is missing; valid: 1 to 40 printable ASCII characters"):
        validated(Settings, {"sns_topic_arn": TOPIC}, "default.yaml")


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        validated(Settings, {"environment": "test", "threshold": 0}, "default.yaml")
    assert "threshold is 0" in str(refused.value)
    assert "; and sns_topic_arn is missing" in str(refused.value)


def test_a_long_value_is_cut(refused: Refused) -> None:
    assert len(refused(f"conn_id: {'x' * 100_000}")) < 1000


def test_a_number_too_long_for_decimals_is_cut(refused: Refused) -> None:
    assert "threshold is 0xffffffff" in refused(f"threshold: 0x{'f' * 10_000}")


def test_a_value_that_unfolds_to_a_billion_items_is_cut(refused: Refused) -> None:
    levels = [f"&l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 10)]
    assert len(refused(f"group_by: [&l0 [x], {', '.join(levels)}]")) < 10_000


@pytest.mark.parametrize(("value", "text"), [(2**59, "576460752303423488"), ({"b": 1, "a": [2]}, "{'a': [2], 'b': 1}")])
def test_an_ordinary_value_is_shown_whole(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize("name", sorted(schemas(RunSettings)))
def test_each_setting_has_a_short_description(name: str) -> None:
    assert 15 <= len(schemas(RunSettings)[name]["description"]) <= 140


@pytest.mark.parametrize("name", sorted(schemas(RunSettings)))
def test_each_description_is_one_or_two_sentences(name: str) -> None:
    description = schemas(RunSettings)[name]["description"]
    assert description.endswith(".")
    assert 1 <= description.count(". ") + 1 <= 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("threshold", "an integer from 1 to 1000000"),
        ("remind_every_minutes", "an integer from 1 to 10080, or null"),
        ("dry_run", "true or false"),
        ("count", "one of failures, distinct user_name, distinct remote_host, distinct database_name"),
        ("group_by", "one or more of remote_host, user_name, database_name, warehouse"),
        ("cluster", "the identifier of a cluster or workgroup, or null"),
    ],
)
def test_what_is_valid_is_said_in_words(name: str, words: str) -> None:
    assert valid_values(schemas(RunSettings)[name]) == words
