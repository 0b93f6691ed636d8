"""Rows of a connection log, by the minute after noon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from redshift_auth_alert.detection.findings import Breach
from tests.conftest import NOON

MINUTE = timedelta(minutes=1)
Events = list[tuple[Any, ...]]


def events(kind: str, *minutes: float, host: str = "192.0.2.1", user: str = "admin") -> Events:
    return [(kind, (NOON + minute * MINUTE).replace(tzinfo=None), host, user, "dev") for minute in minutes]


def failures(*minutes: float, **of: str) -> Events:
    return events("authentication failure", *minutes, **of)


def sign_ins(*minutes: float, **of: str) -> Events:
    return events("authenticated", *minutes, **of)


# Redshift's internal user, which connects all the time: without it nothing is seen.
HEARTBEAT = sign_ins(-10_000, 10_000, host="[local]", user="rdsdb")


def hosts(breaches: tuple[Breach, ...]) -> list[str]:
    return [breach.group["remote_host"] for breach in breaches]
