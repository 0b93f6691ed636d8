"""Entries of the ignore list and of the own thresholds: which groups they match."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

COLUMNS = ("remote_host", "user_name", "database_name")
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

    def holds_on(self, day: date) -> bool:
        """Whether the entry has not expired on ``day``."""
        return self.until is None or day <= self.until


class OwnThreshold(Selector):
    """An entry of the own thresholds: the groups that it selects breach from ``threshold`` up."""

    threshold: int = _described(..., valid="an integer from 1 to 1000000", ge=1, le=1_000_000)
