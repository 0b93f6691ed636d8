"""Rules between settings. Each checks one setting against those that the model declares before it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

from croniter import croniter
from pydantic import ValidationInfo

from redshift_auth_alert.settings.entries import COLUMNS, Selector
from redshift_auth_alert.settings.sources import DELIVERED, FLEET_SOURCE
from redshift_auth_alert.settings.wording import needed


def comes_with_the_user(value: str | None, others: ValidationInfo) -> str | None:
    """Check that ``password_parameter`` and ``user_parameter`` are both set, or neither."""
    user = others.data.get("user_parameter")
    if user and value is None:
        raise needed("user_parameter is set; set both, or neither")
    if value and "user_parameter" in others.data and user is None:
        raise ValueError("set both user_parameter and password_parameter, or neither")
    return value


def has_the_columns_of_the_groups(value: str, others: ValidationInfo) -> str:
    """Check that ``source`` has a column for each of ``group_by``."""
    if value != FLEET_SOURCE and "warehouse" in others.data.get("group_by", ()):
        raise ValueError(
            f"it shows one warehouse, and group_by names warehouse; remove that, or set source: {FLEET_SOURCE}"
        )
    return value


def reads_s3_through_athena(value: str | None, others: ValidationInfo) -> str | None:
    """Check that ``athena_conn_id`` is set for a log in S3."""
    source = others.data.get("source")
    if value is None and source in DELIVERED:
        raise needed(f"source {source} is queried through Athena; set it to an Airflow connection of type athena")
    return value


def reads_the_tables_of_a_namespace(value: str | None, others: ValidationInfo) -> str | None:
    """Check that ``namespace`` is set for the tables that Redshift publishes, and ``cluster`` where auto reads them."""
    source, athena, cluster = (others.data.get(name) for name in ("source", "athena_conn_id", "cluster"))
    if value and source == "auto" and athena and not cluster:
        raise ValueError("it may hold many warehouses, and source auto watches one; name that one as cluster")
    if value is None and source == FLEET_SOURCE:
        raise needed(
            f"source {FLEET_SOURCE} reads the tables of one; aws redshift describe-logging-status shows it as "
            "S3TableNamespace, for Serverless aws redshift-serverless get-namespace as s3TableNamespace"
        )
    return value


def counts_what_can_differ(value: str, others: ValidationInfo) -> str:
    """Check that ``count`` counts values of a column that ``group_by`` does not name."""
    if value.removeprefix("distinct ") in others.data.get("group_by", ()):
        raise ValueError("a column of group_by has one value in each group; count another column")
    return value


def can_match(value: tuple[Selector, ...], others: ValidationInfo) -> tuple[Selector, ...]:
    """Check that ``group_by`` names each column that an entry names."""
    group_by = others.data.get("group_by", COLUMNS)
    for number, entry in enumerate(value, 1):
        if missing := [column for column in entry.columns if column not in group_by]:
            raise ValueError(
                f"{others.field_name} entry {number} matches nothing, as group_by lacks {' and '.join(missing)}; "
                f"remove the entry; a run that overrides group_by can override {others.field_name} too, with []"
            )
    return value


def reminds_less_often_than_it_runs(value: int | None, others: ValidationInfo) -> int | None:
    """Check that ``remind_every_minutes`` is no shorter than the schedule's interval."""
    if value and "schedule" in others.data:
        shortest = _shortest_interval(others.data["schedule"])
        if value < shortest:
            raise ValueError(f"shorter than the schedule's interval of {shortest:.0f} minutes")
    return value


@lru_cache  # the warehouses of one file have the same schedule
def _shortest_interval(schedule: str) -> float:
    """Return the fewest whole minutes between two times of the schedule."""
    ticks = croniter(schedule, datetime(2025, 1, 1, tzinfo=UTC))
    times: list[float] = [ticks.get_next(float) for _ in range(50)]
    return min(later - earlier for earlier, later in pairwise(times)) // 60
