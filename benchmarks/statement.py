"""The statement on the embedded PostgreSQL against the Lambda's, on one log and with the same settings for both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.figure import Figure, medians
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.settings.model import RunSettings
from sandbox.warehouse import running_warehouse

INCLUDE = Path(__file__).resolve().parents[1] / "include"
# Of which no failure here tells anything.
NO_CLIENTS = (
    "1 AS pid, NULL::char(32) AS authmethod, NULL::char(50) AS sslversion, NULL::char(250) AS application_name,"
    " NULL::char(64) AS os_version, NULL::char(64) AS driver_version"
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALF_AN_HOUR = Interval(NOON, NOON + timedelta(minutes=30))
LAMBDA = """
    SELECT remotehost, COUNT(*) AS failures FROM stl_connection_log
    WHERE event = 'authentication failure'
        AND recordtime >= TIMESTAMP '2026-03-01 12:00:00' AND recordtime < TIMESTAMP '2026-03-01 12:30:00'
    GROUP BY remotehost HAVING COUNT(*) >= 10 ORDER BY failures DESC
"""


def make_run(interval: Interval = HALF_AN_HOUR, **settings: object) -> Evaluation:
    """Return a run of the default monitor."""
    topic = "arn:aws:sns:eu-central-1:123456789012:bench"
    in_force = RunSettings.model_validate({"environment": "bench", "sns_topic_arn": topic} | settings)
    return Evaluation("bench", "scheduled__1", "scheduled", in_force, interval)


@contextlib.contextmanager
def log_of(events: int, days: int = 7, hosts: int = 100_000) -> Iterator[psycopg.Connection]:
    """Make a log of ``days`` days up to ten minutes after the interval: a tenth of it failures, the hosts in turn."""
    with running_warehouse() as warehouse, warehouse.admin() as admin:
        admin.execute("CREATE SCHEMA bench; SET search_path TO bench")
        admin.execute(
            f"""
            CREATE TABLE stl_connection_log AS
            SELECT
                (CASE number % 10
                    WHEN 0 THEN 'authentication failure' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'initiating session'
                    WHEN 3 THEN 'disconnecting session' ELSE 'set application_name'
                END)::char(50) AS event,
                TIMESTAMP '2026-03-01 12:40' - ({events} - number) * (INTERVAL '{days} days' / {events}) AS recordtime,
                ('10.' || host / 65536 || '.' || host / 256 % 256 || '.' || host % 256)::char(45) AS remotehost,
                '50000'::char(32) AS remoteport, number::int AS pid, 'dev'::char(50) AS dbname,
                ('user' || host % 1000)::char(50) AS username, 'password'::char(32) AS authmethod,
                NULL::char(50) AS sslversion, CASE number % 10 WHEN 0 THEN 'app' || number % 70 END::char(250)
                AS application_name, NULL::char(64) AS os_version, NULL::char(64) AS driver_version
            FROM (
                SELECT number, number * 7919 % {hosts} AS host FROM generate_series(1::bigint, {events}) AS number
            ) AS numbered
            ORDER BY number
            """
        )
        admin.execute("ANALYZE stl_connection_log")
        yield admin


def against_the_lambda() -> Iterator[Figure]:
    """5,000,000 events: a quiet log, then with 200,000 failures of ten hosts in the interval."""
    ours = statement(make_run(), INCLUDE)
    with log_of(5_000_000) as log:

        def ratio() -> float:
            lambdas, own = medians(lambda: log.execute(LAMBDA).fetchall(), lambda: log.execute(ours).fetchall())
            return own / lambdas

        yield Figure("statement against the Lambda's GROUP BY, quiet log", ratio(), 1.25, "times")
        log.execute(
            "INSERT INTO stl_connection_log SELECT 'authentication failure',"
            " TIMESTAMP '2026-03-01 12:00' + number * INTERVAL '9 milliseconds', '203.0.113.' || number % 10, '50000',"
            " number, 'dev', 'admin' || number % 7, 'password', 'TLSv1.2', 'app' || number % 3, 'Linux', 'ODBC'"
            " FROM generate_series(0, 199999) AS number"
        )
        log.execute("ANALYZE stl_connection_log")
        if len(log.execute(ours).fetchall()) != 10:
            raise RuntimeError("the statement did not find the ten hosts")
        yield Figure("the same under attack", ratio(), 2.4, "times")


def growth() -> Iterator[Figure]:
    """One day's interval of a log of one day, all of it swept: one million events, then two, four and eight."""
    run = make_run(Interval(NOON - timedelta(days=1), NOON), threshold=2)
    ours = statement(run, INCLUDE)
    seconds = []
    for millions in (1, 2, 4, 8):
        # as many hosts more as events, so that each host has the same failures and all are swept
        with log_of(millions * 1_000_000, days=1, hosts=millions * 20_000) as log:
            seconds += medians(partial(log.execute, ours), rounds=3)
    each_took = ", ".join(f"{each:.1f}" for each in seconds)
    yield Figure(f"8 against 1 million events, a day swept ({each_took} s)", seconds[-1] / seconds[0], 9, "times")
