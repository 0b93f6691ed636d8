"""Which groups the ignore list and the own thresholds select, and what that makes of the statement's rows.

Selectors hold free text, so they are applied here and never reach the statement.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from redshift_auth_alert.interval import Interval

if TYPE_CHECKING:
    from redshift_auth_alert.evaluation import Evaluation

COLUMNS = ("remote_host", "user_name", "database_name")
_TOTALS = ("new_groups", "ongoing_groups", "critical_groups", "ongoing_critical_groups", "over_groups")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1024)
def _network(value: str) -> Network:
    network = ipaddress.ip_network(value)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped:
            return ipaddress.IPv4Network((int(mapped), network.prefixlen - 96))
    return network


@lru_cache(maxsize=16_384)
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_network(value: str) -> str:
    _network(value)
    return value


def _day(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _described(default: Any = None, *, valid: str, **field: Any) -> Any:
    return Field(default, json_schema_extra={"valid": valid}, **field)


_PATTERN = "a pattern of 1 to 127 characters, in which * stands for any text, ? and [abc] for a character"


class Selector(BaseModel):
    """Selects the groups whose values match all that it names: an address or network, and fnmatch patterns."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    remote_host: Annotated[str, AfterValidator(_is_network)] | None = _described(
        valid="an address such as 192.0.2.7 or a network such as 192.0.2.0/24 or 2001:db8::/32"
    )
    user_name: str | None = _described(valid=_PATTERN, min_length=1, max_length=127)
    database_name: str | None = _described(valid=_PATTERN, min_length=1, max_length=127)

    @model_validator(mode="after")
    def _names_something(self) -> Selector:
        if not self.columns:
            raise ValueError(f"selects nothing; name one or more of {', '.join(COLUMNS)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that it looks at."""
        return [column for column in COLUMNS if getattr(self, column) is not None]

    @classmethod
    def valid_values(cls, key: str) -> str:
        """Say in words what ``key`` takes."""
        extra = cls.model_fields[key].json_schema_extra
        return str(extra["valid"]) if isinstance(extra, dict) else ""

    def selects(self, group: Mapping[str, str]) -> bool:
        """Whether it selects ``group``, which has a value for each of ``columns``."""
        return all(self._matches(column, group[column]) for column in self.columns)

    def _matches(self, column: str, value: str) -> bool:
        if column == "remote_host":
            address, network = _address(value), _network(str(self.remote_host))
            return address is not None and address.version == network.version and address in network
        return fnmatchcase(value, getattr(self, column))


class Ignore(Selector):
    """An entry of the ignore list: the groups that it selects are counted, and not told."""

    reason: str = _described(
        ..., valid="1 to 200 printable characters that say why", min_length=1, max_length=200, pattern=r"^[^\p{C}]+$"
    )
    until: Annotated[date, BeforeValidator(_day)] | None = _described(
        valid="a date such as 2026-12-31, the last day (UTC) on which the entry holds"
    )
    even_if_authenticated: bool = _described(default=False, valid="true or false")

    def holds(self, interval: Interval) -> bool:
        """Whether ``interval`` ends before the entry has lapsed."""
        return self.until is None or (interval.end - timedelta(microseconds=1)).date() <= self.until


class OwnThreshold(Selector):
    """An entry of the own thresholds: the groups that it selects breach from ``threshold`` up."""

    threshold: int = _described(..., valid="an integer from 1 to 1000000", ge=1, le=1_000_000)


def own_threshold(group: Mapping[str, str], run: Evaluation) -> int:
    """Return the threshold in force for ``group``: that of the first entry that selects it, else the monitor's."""
    own = (entry.threshold for entry in run.settings.thresholds if entry.selects(group))
    return next(own, run.settings.threshold)


def select(table: dict[str, list[Any]], run: Evaluation) -> dict[str, list[Any]]:
    """Keep of the statement's ``table`` what the threshold check needs: each group once, at its own threshold.

    Rows come out the worst first, at most ``max_groups`` told and as many ignored, with two columns more: ``entry``,
    the index of the ignore entry that selects the group, and ``ignored``. The totals are those of the groups not
    ignored; ``ignored_groups`` and ``unchecked_groups`` join them, the latter being groups that did not come back:
    they are counted as told, as if no entry selected them.
    """
    rows: list[dict[str, Any]] = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    left_out = {row["threshold"]: {name: row[name] for name in _TOTALS} for row in rows}
    for row in rows:
        for name, number in _counts(row).items():
            left_out[row["threshold"]][name] -= number
    totals = left_out.get(run.settings.threshold, dict.fromkeys(_TOTALS, 0))
    unchecked = max(each["new_groups"] + each["ongoing_groups"] for each in left_out.values()) if run.selects else 0

    told, ignored = [], []
    for row in rows:
        if row["threshold"] is None:  # the row that holds the coverage alone
            continue
        group: dict[str, str] = {column: row[column] for column in run.settings.group_by}
        if row["threshold"] == own_threshold(group, run):
            entry, hides = _ignore_entry(group, row, run)
            judged = row | {"entry": entry, "ignored": hides}
            if not hides:
                told.append(judged)
                totals = {name: totals[name] + number for name, number in _counts(row).items()}
            elif not row["closing"]:
                ignored.append(judged)

    totals |= {"ignored_groups": len(ignored), "unchecked_groups": unchecked}
    worst_first = [
        row
        for some in (told, ignored)
        for row in sorted(some, key=lambda row: _severity(row, run))[: run.settings.max_groups]
    ]
    coverage_alone = rows[0] | {"threshold": None, "entry": None, "ignored": False}
    kept = [row | totals for row in worst_first or [coverage_alone]]
    return {"columns": list(kept[0]), "rows": [list(row.values()) for row in kept]}


def _ignore_entry(group: Mapping[str, str], row: Mapping[str, Any], run: Evaluation) -> tuple[int | None, bool]:
    """Return the index of the ignore entry that hides the group, else of the first that selects it; and which it is."""
    first = None
    for index, entry in enumerate(run.settings.ignore):
        if entry.selects(group):
            if entry.holds(run.interval) and (row["got_in_at"] is None or entry.even_if_authenticated):
                return index, True
            first = index if first is None else first
    return first, False


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    """Return what one row adds to the totals."""
    if row["threshold"] is None:
        return dict.fromkeys(_TOTALS, 0)
    closing, critical = bool(row["closing"]), row["got_in_at"] is not None
    ongoing = row["most_before"] >= row["threshold"]
    flags = (not ongoing and not closing, ongoing and not closing, critical, ongoing and critical, closing)
    return dict(zip(_TOTALS, map(int, flags), strict=True))


def _severity(row: Mapping[str, Any], run: Evaluation) -> tuple[Any, ...]:
    kept_out = row["got_in_at"] is None
    held_back = not run.reminder_due and kept_out and row["most_before"] >= row["threshold"]
    group = [row[column] for column in run.settings.group_by]
    return row["closing"], held_back, kept_out, -row["most_at_failure"], -row["failures"], group
