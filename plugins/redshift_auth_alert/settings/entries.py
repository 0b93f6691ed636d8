"""Entries of ``ignore`` and ``thresholds``: which groups they match."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from redshift_auth_alert.settings.wording import Valid

COLUMNS = ("remote_host", "user_name", "database_name", "warehouse")


@lru_cache(maxsize=1024)
def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
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
    try:
        _network(value)
    except ValueError as error:
        reason = "not an IPv4 or IPv6 address or network"
        if "host bits" in str(error):
            network = ipaddress.ip_network(value, strict=False)
            reason = f"not the first address of its network; did you mean '{network}'?"
        raise ValueError(reason) from error
    return value


def not_blank(value: str) -> str:
    """Check that a text holds more than blanks."""
    if not value.strip():
        raise ValueError("blank")
    return value


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("not a date") from error


Network = Annotated[
    str,
    AfterValidator(_is_network),
    Valid("an address such as 192.0.2.7 or a network such as 192.0.2.0/24 or 2001:db8::/32"),
]
Pattern = Annotated[
    str,
    Field(min_length=1, max_length=127),
    AfterValidator(not_blank),
    Valid("a pattern of 1 to 127 characters; * matches any text, ? one character, [abc] one of these"),
]
Reason = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[^\p{C}]+$"),
    AfterValidator(not_blank),
    Valid("1 to 200 printable characters that say why"),
]
Day = Annotated[date, BeforeValidator(_day), Valid("a date such as 2026-12-31, the entry's last day in UTC")]


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the ``patterns`` matches ``name``."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


class Selector(BaseModel):
    """Matches a group if every column that it names matches."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    remote_host: Network | None = None
    user_name: Pattern | None = None
    database_name: Pattern | None = None
    warehouse: Pattern | None = None

    @model_validator(mode="after")
    def _names_a_column(self) -> Selector:
        if not self.columns:
            raise ValueError(f"matches nothing; name one or more of {', '.join(COLUMNS)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that it names."""
        return [column for column in COLUMNS if getattr(self, column) is not None]

    def matches(self, group: Mapping[str, str]) -> bool:
        """Whether it matches ``group``, which has a value for each of ``columns``."""
        return all(self._column_matches(column, group[column]) for column in self.columns)

    def _column_matches(self, column: str, value: str) -> bool:
        if column == "remote_host":
            address = _address(value)
            return address is not None and address in _network(str(self.remote_host))  # False for the other version
        return fnmatchcase(value, getattr(self, column))


class Ignore(Selector):
    """An entry of ``ignore``: the groups that it matches are counted but not reported."""

    reason: Reason
    until: Day | None = None
    even_if_authenticated: bool = False

    def holds_on(self, day: date) -> bool:
        """Whether the entry has not expired on ``day``."""
        return self.until is None or day <= self.until


class OwnThreshold(Selector):
    """An entry of ``thresholds``: the groups that it matches breach from its own ``threshold`` up."""

    threshold: int = Field(ge=1, le=1_000_000)
