"""Types of single values: what is checked beyond a type and its bounds, and why a value is refused."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from croniter import CroniterBadDateError, croniter
from jinja2 import Environment as Jinja
from jinja2 import TemplateSyntaxError, meta
from pydantic import AfterValidator, BeforeValidator, Field

from redshift_auth_alert.settings.entries import COLUMNS, Ignore, OwnThreshold, Pattern, not_blank
from redshift_auth_alert.settings.wording import Valid, did_you_mean

_ARN = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}"
TEMPLATE = r"\{\{[^{}]+\}\}"


@lru_cache  # the warehouses of one file have the same one
def _cron(value: str) -> str:
    fields = value.split()
    readable = len(fields) == 5 and re.fullmatch(r"[A-Za-z0-9*/,#?\- ]+", value)
    # croniter replaces R by a random number, so each import would get another schedule.
    if not readable or re.search(r"\bR\b", value, re.IGNORECASE) or not croniter.is_valid(value):
        raise ValueError("not a cron expression")
    try:
        croniter(value).get_next()
    except CroniterBadDateError as error:
        raise ValueError("matches no date") from error
    return value


@cache  # as Python searches the disk each time
def _time_zones() -> set[str]:
    return available_timezones() - {"localtime", "Factory"}  # that of the worker, whatever it is, and none


def _time_zone(value: str) -> str:
    if value not in _time_zones():
        raise ValueError(f"not a time zone{did_you_mean(value, _time_zones())}")
    return value


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [column for column in COLUMNS if value.count(column) > 1]:
        raise ValueError(f"{' and '.join(twice)} appears twice; keep one")
    return value


def _standard_topic(value: object) -> object:
    if isinstance(value, str) and value.endswith(".fifo"):
        raise ValueError(
            "a FIFO topic delivers to queues only, so mail, chat and functions cannot subscribe; name a standard topic"
        )
    return value


# What Airflow gives each template, whatever the run.
_IN_TEMPLATES = {"var", "conn", "dag", "macros", "params"}


@lru_cache
def _renders(value: str) -> str:
    """Check that Airflow can render a template: with a topic that it cannot, no failure could be reported either."""
    if not re.fullmatch(TEMPLATE, value):
        return value
    try:
        names = meta.find_undeclared_variables(Jinja(autoescape=True).parse(value))
    except TemplateSyntaxError as error:
        raise ValueError(f"not a Jinja template ({error.message})") from error
    except RecursionError as error:
        raise ValueError("not a Jinja template (nested too deeply)") from error
    if unknown := sorted(names - _IN_TEMPLATES):
        known = ", ".join(sorted(_IN_TEMPLATES))
        raise ValueError(f"{' and '.join(unknown)} is unknown in this template; it may use {known}")
    return value


def _not_of_aws(value: str) -> str:
    if value.startswith("AWS/"):
        raise ValueError("AWS reserves namespaces that begin with AWS/")
    return value


def _instant(value: object) -> object:
    if isinstance(value, str):
        if "\0" in value:  # where Python would stop reading
            raise ValueError("not a time")
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("not a time") from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no time zone")
        if not 2000 <= value.year < 3000:
            raise ValueError("outside the years 2000 to 2999")
        return value.astimezone(UTC)
    raise ValueError("not a time")


def _start(value: object) -> object:
    if isinstance(value, str):
        with suppress(ValueError):  # a time, or neither
            value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return _instant(value)


GroupColumn = Literal["remote_host", "user_name", "database_name", "warehouse"]
Count = Literal["failures", "distinct user_name", "distinct remote_host", "distinct database_name"]
ClusterLog = Literal["stl_connection_log", "sys_connection_log"]
SourceName = Literal[
    "stl_connection_log", "sys_connection_log", "audit_log_s3", "sys_connection_log_s3", "cloudtrail", "auto"
]
WhenUnseen = Literal["fail", "warn"]
MessageFormat = Literal["text", "json", "chat", "ocsf"]

Columns = Annotated[tuple[GroupColumn, ...], Field(strict=False, min_length=1), AfterValidator(_distinct)]
IgnoreList = Annotated[
    tuple[Ignore, ...],
    Field(strict=False, max_length=100),
    Valid("a list of up to {maxItems} entries, see 'Ignore list'"),
]
OwnThresholds = Annotated[
    tuple[OwnThreshold, ...],
    Field(strict=False, max_length=20),
    Valid("a list of up to {maxItems} entries, see 'Own thresholds'"),
]
UserNames = Annotated[
    tuple[Pattern, ...],
    Field(strict=False, max_length=100),
    Valid(
        "a list of up to {maxItems} patterns of 1 to 127 characters; * matches any text, ? one character, [abc] one "
        "of these"
    ),
]
Environment = Annotated[
    str,
    Field(pattern=r"^[ -~]{1,40}$"),
    AfterValidator(not_blank),
    Valid("1 to 40 printable ASCII characters"),
]
ConnectionId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_.-]{1,250}$"), Valid("1 to 250 letters, digits, '_', '.' and '-'")
]
ParameterName = Annotated[
    str,
    Field(pattern=r"^((/[A-Za-z0-9_.-]+)+|[A-Za-z0-9_.-]+)$", max_length=1011),
    Valid("the name of an SSM parameter such as /redshift/user, in the environment's account and region"),
]
Cluster = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$"), Valid("the identifier of a cluster or workgroup")]
# Both reach SQL in double quotes.
Catalog = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,100}(/[A-Za-z0-9_-]{1,100})?$"),
    Valid("the name of a data catalog in Athena, such as s3tablescatalog/aws-redshift"),
]
TableNamespace = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{1,255}$"),
    Valid("1 to 255 letters, digits, '_' and '-', such as 123456789012_sys"),
]
WAREHOUSE = r"[A-Za-z0-9_.-]{1,64}"
Warehouse = Annotated[str, Field(pattern=f"^{WAREHOUSE}$"), Valid("1 to 64 letters, digits, '_', '.' and '-'")]
WarehouseNames = Annotated[
    tuple[Cluster, ...],
    Field(strict=False, max_length=5_000),
    Valid("a list of up to {maxItems:,} identifiers of clusters and workgroups"),
]
MetricsNamespace = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.#/-]{1,255}$"),
    AfterValidator(_not_of_aws),
    Valid("a CloudWatch namespace of 1 to 255 letters, digits and '_./#-'"),
]
Topic = Annotated[
    str,
    Field(pattern=rf"^({_ARN}|{TEMPLATE})$"),
    BeforeValidator(_standard_topic),
    AfterValidator(_renders),
    Valid("an SNS topic ARN, or a template such as {{{{ var.value.NAME }}}} in a monitor file"),
]
Cron = Annotated[str, AfterValidator(_cron), Valid("a cron expression of five fields")]
TimeZone = Annotated[str, AfterValidator(_time_zone), Valid("an IANA time zone such as Europe/Berlin")]
Instant = Annotated[
    datetime, BeforeValidator(_instant), Valid("an ISO 8601 time with its zone, such as 2026-01-31T14:30:00Z")
]
StartDate = Annotated[datetime, BeforeValidator(_start), Valid("a date, such as 2026-01-31, or a time with its zone")]
