"""Every setting: its type, default, bounds and meaning.

Monitor files and per-run overrides are validated here. The trigger form and docs/settings.md are made from these
fields, so no default or bound is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from redshift_auth_alert.settings import values
from redshift_auth_alert.settings.entries import COLUMNS, Selector
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.sources import DELIVERED
from redshift_auth_alert.settings.wording import refuse, schemas, unknown_settings, validated, written

# The sections of the trigger form and of docs/settings.md, in this order.
SECTIONS = COMMON, DETECTION, SOURCE, SCHEDULE, MESSAGE = (
    "Changed most often",
    "Detection",
    "Source",
    "Schedule",
    "Message",
)


def _per_run(section: str, default: Any, description: str, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"section": section, "per_run": True}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def _monitor_only(section: str, default: Any, description: str, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"section": section, "per_run": False}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """The settings of one monitor. Invalid values cannot be constructed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    threshold: int = _per_run(
        COMMON, 10, "How many failures of a group within the window are a breach.", ge=1, le=1_000_000
    )
    dry_run: bool = _per_run(
        COMMON, default=False, description="Evaluate and log the message, but publish nothing, failures included."
    )

    window_minutes: int = _per_run(DETECTION, 30, "Length of the window that a count covers.", ge=1, le=1440)
    group_by: values.Columns = _per_run(
        DETECTION, ("remote_host",), "Columns that form a group. Each combination of their values is a group."
    )
    count: values.Count = _per_run(
        DETECTION, "failures", "What is counted within the window: failures, or distinct values of a column."
    )
    ignore: values.IgnoreList = _per_run(
        DETECTION, (), "Groups that match an entry are counted but not reported. Each entry needs a reason."
    )
    thresholds: values.OwnThresholds = _per_run(
        DETECTION, (), "Other thresholds for some groups. The first matching entry counts."
    )
    when_unseen: values.WhenUnseen = _monitor_only(
        DETECTION, "fail", "What a run does when the log does not show its interval: fail, or log a warning."
    )

    source: values.SourceName = _per_run(
        SOURCE, "stl_connection_log", "Log to read. Redshift Serverless has only sys_connection_log."
    )
    conn_id: values.ConnectionId = _per_run(
        SOURCE, "redshift_default", "Airflow connection to the warehouse, of type redshift or postgres."
    )
    user_parameter: values.ParameterName | None = _monitor_only(
        SOURCE, None, "SSM parameter that holds the user name. Replaces the connection's user name."
    )
    password_parameter: values.ParameterName | None = _monitor_only(
        SOURCE,
        None,
        "SSM parameter that holds the password. Replaces the connection's password.",
        validate_default=True,
    )
    athena_conn_id: values.ConnectionId | None = _per_run(
        SOURCE, None, "Airflow connection of type athena. Required for the logs in S3.", validate_default=True
    )
    cluster: values.Cluster | None = _per_run(
        SOURCE, None, "Read only this cluster's logs in S3. Default: all of them."
    )
    auto_recent: values.ClusterLog = _monitor_only(
        SOURCE, "stl_connection_log", "Log that source auto reads for recent intervals, see retention_days."
    )
    retention_days: int = _monitor_only(
        SOURCE, 6, "Source auto reads auto_recent for intervals up to this many days before the run.", ge=1, le=7
    )
    max_scanned_gb: int = _per_run(
        SOURCE, 10, "A run fails if its Athena query scanned more GB (10^9 bytes) than this.", ge=1, le=100_000
    )

    schedule: values.Cron = _monitor_only(
        SCHEDULE, "*/30 * * * *", "Cron expression in UTC. Each run evaluates the interval between two of its times."
    )
    settle_minutes: int = _monitor_only(
        SCHEDULE, 5, "How long after an interval's end its run starts, because log rows arrive late.", ge=0, le=1440
    )
    max_catchup_hours: int = _monitor_only(
        SCHEDULE, 24, "How far back missed intervals are evaluated after a pause or an outage.", ge=1, le=168
    )
    start_date: values.StartDate = _monitor_only(
        SCHEDULE, datetime(2025, 1, 1, tzinfo=UTC), "No scheduled interval starts before this date (UTC) or time."
    )

    environment: values.Environment = _per_run(MESSAGE, ..., "Name of the environment in the message's subject.")
    sns_topic_arn: values.Topic = _per_run(
        MESSAGE, ..., "SNS topic to publish to. A monitor file may hold a template such as {{ var.value.NAME }}."
    )
    aws_conn_id: values.ConnectionId = _monitor_only(
        MESSAGE, "aws_default", "Airflow connection to AWS. Used to publish, to sign in and to write metrics."
    )
    max_groups: int = _per_run(
        MESSAGE,
        50,
        "How many groups the message shows in full. "
        "All others are named in one line each, as far as the message's size allows.",
        ge=1,
        le=100,
    )
    message_format: values.MessageFormat = _monitor_only(
        MESSAGE, "text", "text for mail, json for programs, chat for Amazon Q Developer in chat applications."
    )
    display_timezone: values.TimeZone | None = _monitor_only(
        MESSAGE, None, "Show times in this zone beside UTC. Default: UTC only."
    )
    remind_every_minutes: int | None = _monitor_only(
        MESSAGE,
        None,
        "Minutes between reports of an ongoing breach, see 'Reminders'. Default: every interval.",
        ge=1,
        le=10_080,
    )
    notify_when_over: bool = _monitor_only(
        MESSAGE, default=False, description="Report once when a group has had no breach point for a whole window."
    )
    metrics_namespace: values.Namespace | None = _monitor_only(
        MESSAGE, None, "CloudWatch namespace of the metrics. Default: no metrics, so no alarm for missing runs."
    )

    @field_validator("password_parameter")
    @classmethod
    def _comes_with_the_user(cls, value: str | None, others: ValidationInfo) -> str | None:
        if "user_parameter" in others.data and (value is None) != (others.data["user_parameter"] is None):
            raise ValueError("set both user_parameter and password_parameter, or neither")
        return value

    @field_validator("athena_conn_id")
    @classmethod
    def _reads_s3_through_athena(cls, value: str | None, others: ValidationInfo) -> str | None:
        source = others.data.get("source")
        if value is None and source in DELIVERED:
            raise ValueError(f"source {source} is read through Athena; name the connection to it")
        return value

    @field_validator("count")
    @classmethod
    def _counts_what_can_differ(cls, value: str, others: ValidationInfo) -> str:
        if value.removeprefix("distinct ") in others.data.get("group_by", ()):
            raise ValueError("a column of group_by has one value in each group; count another column")
        return value

    @field_validator("ignore", "thresholds")
    @classmethod
    def _can_match(cls, value: tuple[Selector, ...], others: ValidationInfo) -> tuple[Selector, ...]:
        group_by = others.data.get("group_by", COLUMNS)
        for number, entry in enumerate(value, 1):
            if missing := [column for column in entry.columns if column not in group_by]:
                raise ValueError(
                    f"{others.field_name} entry {number} matches nothing, as group_by lacks {' and '.join(missing)}; "
                    f"remove the entry; a run that overrides group_by can override {others.field_name} too, with []"
                )
        return value

    @field_validator("remind_every_minutes")
    @classmethod
    def _reminds_less_often_than_it_runs(cls, value: int | None, others: ValidationInfo) -> int | None:
        if value and "schedule" in others.data:
            ticks = croniter(others.data["schedule"], datetime(2025, 1, 1, tzinfo=UTC))
            times = [ticks.get_next(float) for _ in range(50)]
            shortest = min(later - earlier for earlier, later in pairwise(times)) // 60
            if value < shortest:
                raise ValueError(f"shorter than the schedule's interval of {shortest:.0f} minutes")
        return value

    def for_run(self, overrides: Mapping[str, Any] | None) -> RunSettings:
        """Return the settings in force for a run triggered with ``overrides`` (its ``conf``).

        A value equal to the monitor's own is no override, so the trigger form may send all of its fields back.
        Raises SettingsError for a key that is unknown or not overridable, and for an invalid value.
        """
        if not isinstance(overrides or {}, Mapping):
            raise SettingsError(f"run overrides: hold {written(overrides)}; valid: a JSON object of settings")
        given = dict(overrides or {})
        problems = unknown_settings(given, per_run_names(), Settings.model_fields, "in a monitor file")
        topic = given.get("sns_topic_arn", self.sns_topic_arn)
        if topic is None:  # the trigger form's empty field
            del given["sns_topic_arn"]
        elif topic != self.sns_topic_arn and re.fullmatch(values.TEMPLATE, str(topic)):
            problems.append(
                f"sns_topic_arn is {topic!r}: only a monitor file may hold a template; valid: an SNS topic ARN"
            )
        refuse("run overrides", problems)
        return validated(RunSettings, self.model_dump() | given, "run overrides")

    @property
    def read_through(self) -> str:
        """Id of the Airflow connection used to query ``source``."""
        return self.athena_conn_id if self.source in DELIVERED and self.athena_conn_id else self.conn_id

    @property
    def sign_in(self) -> dict[str, str | None]:
        """What the connection to the warehouse signs in with, beside its own fields."""
        return self.model_dump(include={"aws_conn_id", "user_parameter", "password_parameter"})


class RunSettings(Settings):
    """The settings of one run: a monitor's, its overrides, and the interval asked for, if any."""

    start: values.Instant | None = _per_run(COMMON, None, "Start of the interval to evaluate. Manual runs only.")
    end: values.Instant | None = _per_run(COMMON, None, "End of the interval, not included. Manual runs only.")


def per_run_names() -> list[str]:
    """Names of the settings that a run's overrides may hold."""
    return [name for name, schema in schemas(RunSettings).items() if schema["per_run"]]
