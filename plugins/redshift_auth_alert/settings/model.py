"""Every setting: its type, default, bounds and meaning.

Monitor files and per-run overrides are validated here. The trigger form and docs/settings.md are made from these
fields, so no default or bound is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from redshift_auth_alert.settings import rules, values
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.fields import COMMON, DETECTION, MESSAGE, SCHEDULE, SOURCE, monitor_only, per_run
from redshift_auth_alert.settings.sources import DELIVERED
from redshift_auth_alert.settings.wording import refuse, schemas, unknown_settings, validated, written

_PLACE = ("conn_id", "cluster", "namespace")  # settings that say which warehouse is read


class SingleSettings(BaseModel):
    """The settings, each checked by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    threshold: int = per_run(
        COMMON, 10, "How many failures of a group within the window are a breach.", ge=1, le=1_000_000
    )
    dry_run: bool = per_run(
        COMMON, default=False, description="Evaluate and log the message, but publish nothing, failures included."
    )

    window_minutes: int = per_run(DETECTION, 30, "Length of the window that a count covers.", ge=1, le=1440)
    group_by: values.Columns = per_run(
        DETECTION, ("remote_host",), "Columns that form a group. Each combination of their values is a group."
    )
    count: values.Count = per_run(
        DETECTION, "failures", "What is counted within the window: failures, or distinct values of a column."
    )
    ignore: values.IgnoreList = per_run(
        DETECTION, (), "Groups that match an entry are counted but not reported. Each entry needs a reason."
    )
    thresholds: values.OwnThresholds = per_run(
        DETECTION, (), "Other thresholds for some groups. The first matching entry counts."
    )
    lockout_after: int | None = monitor_only(
        DETECTION, 5, "Failures in a row that lock a user, see 'Lockout'. null: no user is ever locked.", ge=2, le=50
    )
    admin_users: values.UserNames = monitor_only(
        DETECTION, (), "Admins, as the log names them. An alert about a group that tried one is critical, see 'Admins'."
    )
    when_unseen: values.WhenUnseen = monitor_only(
        DETECTION, "fail", "What a run does when the log does not show its interval: fail, or log a warning."
    )

    source: values.SourceName = per_run(
        SOURCE,
        "stl_connection_log",
        "Log to read. Serverless and Multi-AZ have only sys_connection_log.",
        validate_default=True,
    )
    conn_id: values.ConnectionId = per_run(
        SOURCE, "redshift_default", "Airflow connection to the warehouse, of type redshift or postgres."
    )
    user_parameter: values.ParameterName | None = monitor_only(
        SOURCE, None, "SSM parameter that holds the user name. Replaces the connection's user name."
    )
    password_parameter: values.ParameterName | None = monitor_only(
        SOURCE,
        None,
        "SSM parameter that holds the password. Replaces the connection's password.",
        validate_default=True,
    )
    athena_conn_id: values.ConnectionId | None = per_run(
        SOURCE, None, "Airflow connection of type athena. Required for the logs in S3.", validate_default=True
    )
    cluster: values.Cluster | None = per_run(
        SOURCE, None, "Read only this warehouse's logs in S3. Default: all of them."
    )
    catalog: values.Catalog = monitor_only(
        SOURCE, "s3tablescatalog/aws-redshift", "Athena's data catalog of the tables that Redshift publishes."
    )
    namespace: values.TableNamespace | None = per_run(
        SOURCE,
        None,
        "Namespace of these tables. Required for sys_connection_log_s3; with it and cluster, source auto reads older "
        "intervals there.",
        validate_default=True,
    )
    expect_warehouses: values.WarehouseNames = monitor_only(
        SOURCE,
        (),
        "Warehouses that sys_connection_log_s3 must show. Default: those that it shows in the scanned days.",
    )
    auto_recent: values.ClusterLog = monitor_only(
        SOURCE, "stl_connection_log", "Log that source auto reads for recent intervals, see retention_days."
    )
    retention_days: int = monitor_only(
        SOURCE, 6, "Source auto reads auto_recent for intervals up to this many days before the run.", ge=1, le=7
    )
    max_scanned_gb: int = per_run(
        SOURCE, 10, "A run fails if its Athena query scanned more GB (10^9 bytes) than this.", ge=1, le=100_000
    )

    schedule: values.Cron = monitor_only(
        SCHEDULE, "*/30 * * * *", "Cron expression in UTC. Each run evaluates the interval between two of its times."
    )
    settle_minutes: int = monitor_only(
        SCHEDULE, 5, "How long after an interval's end its run starts, because log rows arrive late.", ge=0, le=1440
    )
    max_catchup_hours: int = monitor_only(
        SCHEDULE,
        24,
        "How far back missed intervals are evaluated after a pause or an outage. Older ones are reported.",
        ge=1,
        le=168,
    )
    start_date: values.StartDate = monitor_only(
        SCHEDULE, datetime(2025, 1, 1, tzinfo=UTC), "No scheduled interval starts before this date (UTC) or time."
    )

    environment: values.Environment = per_run(MESSAGE, ..., "Name of the environment in the message's subject.")
    warehouse: values.Warehouse | None = monitor_only(
        MESSAGE, None, "Name of the warehouse in messages. Default: taken from the connection, see 'Warehouse'."
    )
    sns_topic_arn: values.Topic = per_run(
        MESSAGE, ..., "SNS topic to publish to. A template may use Airflow's variables (var) and connections (conn)."
    )
    aws_conn_id: values.ConnectionId = monitor_only(
        MESSAGE, "aws_default", "Airflow connection to AWS. Used to publish, to sign in and to write metrics."
    )
    max_groups: int = per_run(
        MESSAGE,
        50,
        "How many groups the message shows in full. "
        "All others are named in one line each, as far as the message's size allows.",
        ge=1,
        le=100,
    )
    message_format: values.MessageFormat = monitor_only(
        MESSAGE, "text", "text: mail; json: programs; chat: Amazon Q Developer in chat applications; ocsf: SIEMs."
    )
    display_timezone: values.TimeZone | None = monitor_only(
        MESSAGE, None, "Show times in this zone beside UTC. Default: UTC only."
    )
    remind_every_minutes: int | None = monitor_only(
        MESSAGE,
        None,
        "Minutes between reports of an ongoing breach, see 'Reminders'. Default: every interval.",
        ge=1,
        le=10_080,
    )
    notify_when_over: bool = monitor_only(
        MESSAGE, default=False, description="Report once when a group has had no breach point for a whole window."
    )
    metrics_namespace: values.MetricsNamespace | None = monitor_only(
        MESSAGE, None, "CloudWatch namespace of the metrics. Default: no metrics, so no alarm for missing runs."
    )


class Settings(SingleSettings):
    """The settings of one monitor. Invalid values cannot be constructed, nor those that do not go together."""

    _password = field_validator("password_parameter")(rules.comes_with_the_user)
    _warehouse = field_validator("source")(rules.has_the_columns_of_the_groups)
    _athena = field_validator("athena_conn_id")(rules.reads_s3_through_athena)
    _tables = field_validator("namespace")(rules.reads_the_tables_of_a_namespace)
    _count = field_validator("count")(rules.counts_what_can_differ)
    _entries = field_validator("ignore", "thresholds")(rules.can_match)
    _reminders = field_validator("remind_every_minutes")(rules.reminds_less_often_than_it_runs)

    def for_run(self, overrides: Mapping[str, Any] | None) -> RunSettings:
        """Return the settings in force for a run triggered with ``overrides`` (its ``conf``).

        A value equal to the monitor's own is no override, so the trigger form may send all of its fields back.
        Raises SettingsError for a key that is unknown or not overridable, and for an invalid value.
        """
        if not isinstance(overrides or {}, Mapping):
            raise SettingsError(f"run overrides: hold {written(overrides)}; valid: a JSON object of settings")
        given = dict(overrides or {})
        elsewhere = dict.fromkeys([*Settings.model_fields, "warehouses"], "in a monitor file")
        problems = unknown_settings(given, per_run_names(), elsewhere)
        topic = given.get("sns_topic_arn", self.sns_topic_arn)
        if topic is None:  # the trigger form's empty field
            del given["sns_topic_arn"]
        elif topic != self.sns_topic_arn and re.fullmatch(values.TEMPLATE, str(topic)):
            problems.append(
                f"sns_topic_arn is {topic!r}: only a monitor file may hold a template; valid: an SNS topic ARN"
            )
        others = {name for name in _PLACE if name in given and given[name] != getattr(self, name)}
        refuse("run overrides", problems)
        own = self.model_dump() | ({"warehouse": None} if others else {})  # the name is then that of the other one
        return validated(RunSettings, own | given, "run overrides")

    @property
    def read_through(self) -> str:
        """Id of the Airflow connection used to query ``source``."""
        return self.athena_conn_id if self.source in DELIVERED and self.athena_conn_id else self.conn_id

    @property
    def past_source(self) -> str | None:
        """The log in S3 that source auto reads for older intervals; None without a connection to Athena."""
        if self.athena_conn_id is None:
            return None
        return "sys_connection_log_s3" if self.namespace else "audit_log_s3"

    @property
    def sign_in(self) -> dict[str, Any]:
        """What the connection to the warehouse signs in with, beside its own fields."""
        return {name: getattr(self, name) for name in ("aws_conn_id", "user_parameter", "password_parameter")}


class RunSettings(Settings):
    """The settings of one run: a monitor's, its overrides, and the interval asked for, if any."""

    start: values.Instant | None = per_run(COMMON, None, "Start of the interval to evaluate. Manual runs only.")
    end: values.Instant | None = per_run(COMMON, None, "End of the interval, not included. Manual runs only.")
    check_only: bool = per_run(
        COMMON, default=False, description="Check the set-up, publish one [TEST] message, and evaluate no interval."
    )

    @field_validator("check_only")
    @classmethod
    def _evaluates_no_interval(cls, value: bool, others: ValidationInfo) -> bool:  # noqa: FBT001
        if value and (others.data.get("start") or others.data.get("end")):
            raise ValueError("a check evaluates no interval; remove start and end, or check_only")
        return value


def per_run_names() -> list[str]:
    """Names of the settings that a run's overrides may hold."""
    return [name for name, schema in schemas(RunSettings).items() if schema["per_run"]]
