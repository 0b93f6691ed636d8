"""Every setting: its type, default, bounds and meaning.

A monitor's settings and per-run overrides are validated here, and the DAG's Params and README's table are made from
``Settings``, so no default or bound is written twice.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from croniter import CroniterBadDateError, croniter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from redshift_auth_alert.settings.entries import COLUMNS, Ignore, OwnThreshold, Selector
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.sources import SOURCES

GroupColumn = Literal["remote_host", "user_name", "database_name"]
Count = Literal["failures", "distinct user_name", "distinct remote_host", "distinct database_name"]
ClusterLog = Literal["stl_connection_log", "sys_connection_log"]
SourceName = Literal["stl_connection_log", "sys_connection_log", "audit_log_s3", "cloudtrail", "auto"]

_ARN = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?"
_CONNECTION_IDS = "1 to 250 letters, digits, '_', '.' and '-'"
_PARAMETERS = "the name of an SSM parameter such as /redshift/user, in the environment's account and region"
_TIMES = "an ISO 8601 time with its zone, such as 2026-01-31T14:30:00Z"
_TEMPLATE = r"\{\{[^{}]+\}\}"


def _cron(value: str) -> str:
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError("cannot be read")
    try:
        croniter(value).get_next()
    except CroniterBadDateError as error:
        raise ValueError("never comes") from error
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"not a time zone; {_did_you_mean(value, available_timezones())}".removesuffix("; "))
    return value


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("names a column twice")
    return value


def _instant(value: object) -> object:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no time zone, and none is guessed")
        if not 2000 <= value.year < 3000:
            raise ValueError("lies outside of the years 2000 to 2999")
        return value.astimezone(UTC)
    if value is None:
        return None
    raise ValueError("not a time")


def _start(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return _instant(value)


Instant = Annotated[datetime | None, BeforeValidator(_instant)]
ConnectionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,250}$")]
ParameterName = Annotated[str, Field(pattern=r"^((/[A-Za-z0-9_.-]+)+|[A-Za-z0-9_.-]+)$", max_length=1011)]
T = TypeVar("T", bound="Settings")
_ENTRIES: dict[str, type[Selector]] = {"ignore": Ignore, "thresholds": OwnThreshold}


def _monitor_only(default: Any = ..., *, valid: str = "", **field: Any) -> Any:
    return Field(default, json_schema_extra={"per_run": False, "valid": valid}, **field)


def _per_run(default: Any = ..., *, valid: str = "", **field: Any) -> Any:
    return Field(default, json_schema_extra={"per_run": True, "valid": valid}, **field)


class Settings(BaseModel):
    """The settings of one monitor. Invalid values cannot be constructed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    environment: str = _per_run(
        pattern=r"^[ -~]{1,40}$",
        valid="1 to 40 printable ASCII characters",
        description="Name of the environment in the message's subject.",
    )
    source: SourceName = _per_run(
        "stl_connection_log", description="The log to read, see 'Sources'; Serverless has only sys_connection_log."
    )
    conn_id: ConnectionId = _per_run(
        "redshift_default",
        valid=_CONNECTION_IDS,
        description="Airflow connection to the warehouse: type redshift or postgres.",
    )
    user_parameter: ParameterName | None = _monitor_only(
        None, valid=_PARAMETERS, description="SSM parameter that holds the user, instead of the connection."
    )
    password_parameter: Annotated[ParameterName | None, Field(validate_default=True)] = _monitor_only(
        None, valid=_PARAMETERS, description="SSM parameter that holds the password, instead of the connection."
    )
    athena_conn_id: Annotated[ConnectionId | None, Field(validate_default=True)] = _per_run(
        None, valid=_CONNECTION_IDS, description="Airflow connection of type athena, for the logs in S3."
    )
    cluster: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] | None = _per_run(
        None,
        valid="a cluster's (or workgroup's) identifier",
        description="Of the logs in S3 read only this cluster's; without it all that the table holds.",
    )
    auto_recent: ClusterLog = _monitor_only(
        "stl_connection_log", description="What source auto reads for intervals that lie within retention_days."
    )
    retention_days: int = _monitor_only(
        6, ge=1, le=7, description="How far back from the run source auto relies on the cluster's own log."
    )
    max_scanned_gb: int = _per_run(
        10, ge=1, le=100_000, description="A run whose Athena query scanned more GB (10^9 bytes) fails."
    )
    aws_conn_id: ConnectionId = _monitor_only(
        "aws_default",
        valid=_CONNECTION_IDS,
        description="Airflow connection to AWS: to publish, to sign in, to write metrics.",
    )
    metrics_namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.#/-]{1,255}$")] | None = _monitor_only(
        None,
        valid="a CloudWatch namespace of letters, digits and '_./#-', not one of AWS/",
        description="CloudWatch namespace of the metrics, which an alarm for missing runs watches; null: none.",
    )
    sns_topic_arn: str = _per_run(
        pattern=rf"^({_ARN}|{_TEMPLATE})$",
        valid="an SNS topic ARN, or a {{ template }} in a monitor file",
        description="Topic that is told; in a monitor file also a template such as {{ var.value.NAME }}.",
    )
    schedule: Annotated[str, AfterValidator(_cron)] = _monitor_only(
        "*/30 * * * *",
        valid="a cron expression of five fields",
        description="Cron expression in UTC; each run evaluates the interval between two ticks.",
    )
    settle_minutes: int = _monitor_only(
        5, ge=0, le=1440, description="How long after an interval's end its run starts, as log rows arrive late."
    )
    max_catchup_hours: int = _monitor_only(
        24, ge=1, le=168, description="How far back missed intervals are run after a pause or an outage."
    )
    start_date: Annotated[datetime, BeforeValidator(_start)] = _monitor_only(
        datetime(2025, 1, 1, tzinfo=UTC),
        valid="a date, such as 2026-01-31, or a time with its zone",
        description="No scheduled interval starts before this date (UTC) or time.",
    )
    window_minutes: int = _per_run(30, ge=1, le=1440, description="The span W that a count covers.")
    threshold: int = _per_run(
        10, ge=1, le=1_000_000, description="How many failures of a group within the window are a breach."
    )
    group_by: Annotated[tuple[GroupColumn, ...], Field(strict=False, min_length=1), AfterValidator(_distinct)] = (
        _per_run(("remote_host",), description="The columns whose values together form a group.")
    )
    count: Count = _per_run("failures", description="What is counted in the window: failures, or distinct values.")
    ignore: Annotated[tuple[Ignore, ...], Field(strict=False, max_length=100)] = _per_run(
        (),
        valid="a list of up to 100 entries, see 'Ignore list, own thresholds'",
        description="Groups that are counted and not told, each with a reason.",
    )
    thresholds: Annotated[tuple[OwnThreshold, ...], Field(strict=False, max_length=20)] = _per_run(
        (),
        valid="a list of up to 20 entries, see 'Ignore list, own thresholds'",
        description="Groups with a threshold of their own; the first entry that selects a group counts.",
    )
    max_groups: int = _per_run(
        50, ge=1, le=100, description="How many groups a message lists, the worst first; totals stay exact."
    )
    remind_every_minutes: int | None = _monitor_only(
        None,
        ge=1,
        le=10_080,
        description="Repeat an ongoing breach only in intervals that hold a multiple of this since the epoch, "
        "in UTC; without it in every interval.",
    )
    notify_when_over: bool = _monitor_only(
        default=False,
        description="Tell once when a group has had no breach point for a window, in the interval in which that is so.",
    )
    when_unseen: Literal["fail", "warn"] = _monitor_only(
        "fail", description="What a run does when the log does not show its interval."
    )
    message_format: Literal["text", "json", "chat"] = _monitor_only(
        "text",
        description="Form of the message: text for mail, json for machines, chat for Amazon Q Developer in chat.",
    )
    display_timezone: Annotated[str, AfterValidator(_time_zone)] | None = _monitor_only(
        None,
        valid="an IANA time zone such as Europe/Berlin",
        description="Show local times of this zone beside UTC.",
    )
    dry_run: bool = _per_run(default=False, description="Evaluate and log the full message, but publish nothing.")

    @field_validator("password_parameter")
    @classmethod
    def _stands_beside_the_users(cls, value: str | None, others: ValidationInfo) -> str | None:
        if "user_parameter" in others.data and (value is None) != (others.data["user_parameter"] is None):
            raise ValueError("user_parameter and password_parameter are named together, or neither is")
        return value

    @field_validator("metrics_namespace")
    @classmethod
    def _is_not_of_aws(cls, value: str | None) -> str | None:
        if value and value.startswith("AWS/"):
            raise ValueError("AWS keeps namespaces that begin with AWS/ to itself")
        return value

    @field_validator("athena_conn_id")
    @classmethod
    def _reads_s3_through_athena(cls, value: str | None, others: ValidationInfo) -> str | None:
        source = others.data.get("source")
        if value is None and source in SOURCES and SOURCES[source].delivered:
            raise ValueError(f"source {source} is read through Athena; name the connection to it")
        return value

    @field_validator("count")
    @classmethod
    def _counts_what_can_differ(cls, value: str, others: ValidationInfo) -> str:
        if value.removeprefix("distinct ") in others.data.get("group_by", ()):
            raise ValueError("each group has one value of a column that group_by holds; count another one")
        return value

    @field_validator("ignore", "thresholds")
    @classmethod
    def _selects_some_group(cls, value: tuple[Selector, ...], others: ValidationInfo) -> tuple[Selector, ...]:
        group_by = others.data.get("group_by", COLUMNS)
        for index, entry in enumerate(value):
            if missing := [column for column in entry.columns if column not in group_by]:
                raise ValueError(
                    f"{others.field_name} entry {index + 1} selects nothing: group_by holds no "
                    f"{' and no '.join(missing)}; "
                    "remove it, or give a run that overrides group_by its own list, such as []"
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
        where = "run overrides"
        own = self.model_dump()
        if not isinstance(overrides or {}, Mapping):
            raise SettingsError(f"{where}: hold {overrides!r}; valid: a JSON object of settings")
        given = dict(overrides or {})
        problems = unknown_settings(given, per_run_names())
        if given.get("sns_topic_arn", "") is None:  # the trigger form's empty field
            del given["sns_topic_arn"]
        topic = given.get("sns_topic_arn")
        if topic != self.sns_topic_arn and re.fullmatch(_TEMPLATE, str(topic)):
            problems.append(
                f"sns_topic_arn is {topic!r}: a template is taken in a monitor file only; valid: an SNS ARN"
            )
        refuse(where, problems)
        return validated(RunSettings, own | given, where)

    @property
    def read_through(self) -> str:
        """Id of the Airflow connection that ``source`` is read through."""
        through_athena = self.source in SOURCES and SOURCES[self.source].delivered
        return self.athena_conn_id if through_athena and self.athena_conn_id else self.conn_id

    @property
    def sign_in(self) -> dict[str, str | None]:
        """What the connection to the warehouse signs in with, beside its own fields."""
        return {
            "aws_conn_id": self.aws_conn_id,
            "user_parameter": self.user_parameter,
            "password_parameter": self.password_parameter,
        }

    def scheduling_problems(self) -> list[str]:
        """Say what keeps runs from being scheduled with these settings, though one may be triggered with them."""
        source = SOURCES.get(self.source)
        if source is None or self.settle_minutes >= source.settle_minutes:
            return []
        return [
            f"settle_minutes is {self.settle_minutes}: too soon for source {self.source}, as {source.settles}; "
            f"valid: an integer from {source.settle_minutes} to 1440"
        ]


class RunSettings(Settings):
    """The settings of one run: a monitor's, its overrides, and the interval asked for, if any."""

    start: Instant = _per_run(None, valid=_TIMES, description="Start of the interval to evaluate (manual runs only).")
    end: Instant = _per_run(None, valid=_TIMES, description="End of the interval to evaluate (manual runs only).")


def per_run_names() -> list[str]:
    """Names of the settings that a run's overrides may hold."""
    return [name for name, schema in schemas().items() if schema["per_run"]]


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each setting by name, flat; with ``per_run``, ``required`` and, in words, ``valid``."""
    whole = RunSettings.model_json_schema()
    return {
        name: {"required": name in whole.get("required", ())} | _flat(schema)
        for name, schema in whole["properties"].items()
    }


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """Write ``anyOf: [X, null]`` as X with two types, which the trigger form understands."""
    options = schema.pop("anyOf", None)
    if options:
        inner = next(option for option in options if option["type"] != "null")
        schema |= inner | {"type": [inner["type"], "null"]}
    if "$ref" in schema.get("items", {}):
        schema["items"] = {"type": "object"}
    schema.pop("title", None)
    return schema


def valid_values(name: str) -> str:
    """Say in words what setting ``name`` takes, from its schema."""
    schema = schemas()[name]
    enum = schema.get("enum") or schema.get("items", {}).get("enum")
    kind = schema.get("type", "string")
    if schema["valid"]:
        words = str(schema["valid"])
    elif enum:
        words = ("one or more of " if kind == "array" else "one of ") + ", ".join(enum)
    elif "minimum" in schema:
        words = f"an integer from {schema['minimum']} to {schema['maximum']}"
    else:
        words = "true or false"
    return words + (", or null" if isinstance(kind, list) else "")


def unknown_settings(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a problem for each name in ``given`` that is not in ``known``."""
    known = list(known)
    problems = []
    for name in given:
        if name in known:
            continue
        if name in Settings.model_fields:
            problems.append(f"{name} can be set in a monitor file only; valid here: {', '.join(known)}")
            continue
        problems.append(f"unknown setting {name!r}; {_did_you_mean(name, known)}valid here: {', '.join(known)}")
    return problems


def _did_you_mean(name: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def validated(model: type[T], values: dict[str, Any], where: str) -> T:
    """Return ``values`` as ``model``; raise SettingsError that names ``where`` and every invalid value."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        refuse(where, list(dict.fromkeys(_problem(each, values) for each in error.errors())))
        raise AssertionError("unreachable") from error


def _problem(error: ErrorDetails, values: Mapping[str, Any]) -> str:
    """Say which value is wrong, in a list of entries of which entry and key, why, and what would be valid."""
    path = error["loc"][1:]
    what = str(error["loc"][0])
    value: Any = values.get(what)
    valid, reason = valid_values(what), error["msg"]
    entry_type = _ENTRIES.get(what)
    if entry_type and path:
        index = int(path[0])
        what, value = f"{what} entry {index + 1}", value[index]
        valid = f"keys {', '.join(entry_type.model_fields)}"
        if len(path) > 1 and path[1] in entry_type.model_fields:
            key = str(path[1])
            what, value, valid = f"{what}: {key}", value.get(key), entry_type.valid_values(key)
        elif len(path) > 1:
            return f"{what}: unknown key {path[1]!r}; {_did_you_mean(path[1], entry_type.model_fields)}valid: {valid}"
    if error["type"] == "missing":
        return f"{what} is missing; valid: {valid}"
    written = value.isoformat() if isinstance(value, date) else repr(value)
    return f"{what} is {written}: {reason.removeprefix('Value error, ')}; valid: {valid}"


def refuse(where: str, problems: list[str]) -> None:
    """Raise SettingsError where there are problems."""
    if problems:
        raise SettingsError(f"{where}: " + "; and ".join(problems))
