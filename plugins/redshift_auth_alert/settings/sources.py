"""Where connection events can be read."""

from __future__ import annotations

from dataclasses import dataclass

_GRANT = "give the monitor's user the right to read it (GRANT SELECT ON {log})"
_AGED_OUT = (
    "the interval has aged out of {log}: its oldest event is of {oldest} UTC, as it keeps about 7 days; "
    "use source audit_log_s3 if audit logging to S3 was on, or sys_connection_log_s3 if it was published to S3 Tables"
)
_NOT_THERE = "{log} begins only after the interval: its oldest event of the scanned days is of {oldest} UTC; "
_STATUS = "aws redshift describe-logging-status; Serverless: aws redshift-serverless get-namespace"


@dataclass(frozen=True, slots=True)
class Source:
    """A log of connection events: how it is queried, and what to do when it does not show an interval.

    Its rows are complete ``settle_minutes`` after an interval's end, because ``settles``. Its failed sign-ins are by
    password and may lock a user, where ``locks_out``. A ``fleet`` source may hold many warehouses. The other texts may
    name ``{log}`` and, if there is one, the ``{oldest}`` event.
    """

    log: str
    connection_types: tuple[str, ...] = ("redshift", "postgres")
    locks_out: bool = True
    settle_minutes: int = 0
    settles: str = ""
    fleet: bool = False
    shows_nothing: str = "{log} shows no event at all; " + _GRANT
    shows_only_own: str = "{log} shows only the monitor's own logins; " + _GRANT
    begins_later: str = _AGED_OUT
    has_stopped: str = "check the cluster, then clear this run"
    is_late: str = (
        "it is late, or the warehouse's clock is slow. If that recurs, raise settle_minutes. "
        "Clear this run to see the rest"
    )

    @property
    def delivered(self) -> bool:
        """Whether it is a log of files in S3, which Athena reads by whole days and which may arrive late."""
        return self.connection_types == ("athena",)


SOURCES = {
    "stl_connection_log": Source("STL_CONNECTION_LOG"),
    "sys_connection_log": Source("SYS_CONNECTION_LOG"),
    "sys_connection_log_s3": Source(
        "SYS_CONNECTION_LOG in S3 Tables",
        connection_types=("athena",),
        settle_minutes=60,
        settles="Redshift publishes it to S3 Tables with a delay that AWS does not state",
        fleet=True,
        shows_nothing="{log} shows no event in the scanned days; check that the warehouse publishes it ("
        + _STATUS
        + ") "
        "and that 'namespace' and 'cluster' name what is published",
        begins_later=_NOT_THERE + "publishing was turned on later, as nothing is published of the time before",
        has_stopped="it may be late, or is published no more: see when it was last published ("
        + _STATUS
        + "); once the "
        "events have arrived, clear this run",
        is_late="it is late: clear this run once the events have arrived",
    ),
    "audit_log_s3": Source(
        "the audit log in S3",
        connection_types=("athena",),
        settle_minutes=120,
        settles="Redshift delivers its audit log to S3 about hourly and sometimes later",
        shows_nothing="{log} holds no event in the scanned days; check that audit logging to S3 was on, that "
        "'cluster' names the cluster, and that the table's storage.location.template names bucket, account and region",
        begins_later=_NOT_THERE + "audit logging was turned on later, or files are missing",
        has_stopped="its files may be late, or audit logging is off; once they have arrived, clear this run",
        is_late="a file may be late: clear this run once it has arrived",
    ),
    "cloudtrail": Source(
        "the CloudTrail log in S3",
        connection_types=("athena",),
        locks_out=False,
        settle_minutes=15,
        settles="CloudTrail delivers to S3 after 5 minutes on average and sometimes later",
        shows_nothing="{log} holds no event in the scanned days; check that the trail was on and that the table's "
        "storage.location.template names bucket, account and region",
        begins_later=_NOT_THERE + "the trail was turned on later, or files are missing",
        has_stopped="its files may be late, or the trail is off; once they have arrived, clear this run",
        is_late="a file may be late: clear this run once it has arrived",
    ),
}
FLEET_SOURCE = next(name for name, source in SOURCES.items() if source.fleet)
DELIVERED = frozenset(name for name, source in SOURCES.items() if source.delivered)
