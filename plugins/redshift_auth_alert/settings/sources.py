"""Where connection events can be read."""

from __future__ import annotations

from dataclasses import dataclass

_GRANT = "give the monitor's user the right to read it (GRANT SELECT ON {log} or GRANT ROLE sys:monitor)"
_AGED_OUT = (
    "the interval has aged out of {log}, whose oldest event is of {oldest} UTC (it keeps about 7 days); "
    "use source audit_log_s3 if audit logging to S3 was on"
)
_NOT_THERE = "{log} begins only after the interval: its oldest event of the scanned days is of {oldest} UTC; "


@dataclass(frozen=True, slots=True)
class Source:
    """A log of connection events: how it is queried, and what to do when it does not show an interval.

    Its rows are complete ``settle_minutes`` after an interval's end, because ``settles``. The other texts may name
    ``{log}`` and, if there is one, the ``{oldest}`` event.
    """

    log: str
    connection_types: tuple[str, ...] = ("redshift", "postgres")
    settle_minutes: int = 0
    settles: str = ""
    shows_nothing: str = "{log} shows no event at all; " + _GRANT
    shows_only_own: str = "{log} shows only the monitor's own logins; " + _GRANT
    begins_later: str = _AGED_OUT
    has_stopped: str = "check the cluster, then clear this run"

    @property
    def delivered(self) -> bool:
        """Whether it is a log of files in S3, which Athena reads by whole days and which may arrive late."""
        return self.connection_types == ("athena",)


SOURCES = {
    "stl_connection_log": Source("STL_CONNECTION_LOG"),
    "sys_connection_log": Source("SYS_CONNECTION_LOG"),
    "audit_log_s3": Source(
        "the audit log in S3",
        connection_types=("athena",),
        settle_minutes=120,
        settles="Redshift delivers its audit log to S3 about hourly and sometimes later",
        shows_nothing="{log} holds no event in the scanned days; check that audit logging to S3 was on, that "
        "'cluster' names the cluster, and that the table's storage.location.template names bucket, account and region",
        begins_later=_NOT_THERE + "audit logging was turned on later, or files are missing",
        has_stopped="its files may be late, or audit logging is off; once they have arrived, clear this run",
    ),
    "cloudtrail": Source(
        "the CloudTrail log in S3",
        connection_types=("athena",),
        settle_minutes=15,
        settles="CloudTrail delivers to S3 within about 15 minutes",
        shows_nothing="{log} holds no event in the scanned days; check that the trail was on and that the table's "
        "storage.location.template names bucket, account and region",
        begins_later=_NOT_THERE + "the trail was turned on later, or files are missing",
        has_stopped="its files may be late, or the trail is off; once they have arrived, clear this run",
    ),
}
DELIVERED = frozenset(name for name, source in SOURCES.items() if source.delivered)
