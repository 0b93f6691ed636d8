"""A day of the published events of 200 warehouses in Parquet, DuckDB standing in for Athena: ten times the events."""

from __future__ import annotations

import json
import re
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from benchmarks.figure import Figure, output_of
from benchmarks.statement import INCLUDE, make_run
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from sandbox.athena_engine import Engine
from sandbox.published_log import BUCKET, COLUMNS, NAMESPACE, TABLE

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
INTERVALS = {
    "an hour": Interval(DAY + 14 * HOUR, DAY + 15 * HOUR),
    "the day": Interval(DAY, DAY + timedelta(days=1)),
}
WAREHOUSES = 200
EVENTS = (5_000_000, 50_000_000)
ROUNDS = 3
THREADS = 2
MEMORY = "12GB"
HOST_EVENTS, USER_EVENTS, ATTACKER_EVENTS = 50, 1_000, 240_000  # how many of the day's events there are for each
# Drawn anew for each event, so that nothing compresses by an order that a real log may not have.
DRAWN = {
    "warehouse_name": f"'warehouse-' || draw(1, {WAREHOUSES})",
    "event": (
        "CASE draw(2, 10) WHEN 0 THEN 'authentication failure' WHEN 1 THEN 'initiating session'"
        " WHEN 2 THEN 'initiating session' WHEN 3 THEN 'set application_name' WHEN 4 THEN 'set application_name'"
        " WHEN 5 THEN 'disconnecting session' WHEN 6 THEN 'disconnecting session' ELSE 'authenticated' END"
    ),
    "record_time": "moment",
    # A fifth of the failures come from hosts that attack for an hour, about 200 times each.
    "remote_host": (
        "CASE WHEN draw(2, 10) = 0 AND draw(3, 5) = 0 THEN '::ffff:198.18.' || attacker // 256 || '.' || attacker % 256"
        " ELSE '::ffff:10.' || host // 65536 || '.' || host // 256 % 256 || '.' || host % 256 END"
    ),
    "database_name": "'database' || draw(4, 20)",
    "user_name": "'user' || draw(5, users)",
    "auth_method": "CASE draw(6, 4) WHEN 0 THEN 'IAM' ELSE 'password' END",
    "ssl_version": "CASE draw(7, 3) WHEN 0 THEN 'TLSv1.2' ELSE 'TLSv1.3' END",
    "application_name": "'application ' || draw(8, 30)",
    "os_version": "'Linux 6.1.' || draw(9, 10) || '-amd64'",
    "driver_version": "'Redshift JDBC Driver 2.1.0.' || draw(10, 20)",
}


def growth() -> Iterator[Figure]:
    """5,000,000 events and ten times as many: what the statement costs, and what it reads of each event."""
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder) / str(events) for events in EVENTS]
        for root, events in zip(roots, EVENTS, strict=True):
            publish(root, events)
        yield from figures(*roots)


def figures(few: Path, many: Path) -> Iterator[Figure]:
    """Compare CPU time and peak memory, each of a fresh process, and count the bytes of the columns that are read."""
    for name in INTERVALS:
        rounds = [[_cost_in_a_fresh_process(root, name) for root in (few, many)] for _ in range(ROUNDS)]
        for what, unit, place in (("CPU time", "s", 0), ("memory", "MB", 1)):
            small, large = (statistics.median(costs[size][place] for costs in rounds) for size in range(2))
            measured = f"{what} of a run over {name}, 50 against 5 million events ({small:,.0f}, {large:,.0f} {unit})"
            yield Figure(measured, large / small, 11, "times")
    sizes, reads = _bytes_per_event(many), _reads(many)
    columns = set().union(*reads)
    each = ", ".join(f"{name} {sizes[name]:.1f}" for name in sorted(columns))
    once, all_reads = sum(sizes[name] for name in columns), sum(sizes[name] for read in reads for name in read)
    yield Figure(f"bytes of an event in the columns that are read ({each})", once, 20, "bytes")
    yield Figure(f"bytes that Athena reads for an event, in {len(reads)} reads", all_reads, 150, "bytes")


def cost(root: str, interval: str) -> tuple[float, float]:
    """Return the CPU seconds of the statement, and the most MB that this process ever had, which needs a fresh one."""
    with duckdb.connect() as duck:
        duck.execute(f"SET threads = {THREADS}; SET memory_limit = '{MEMORY}'; SET temp_directory = ''")
        duck.execute("SET enable_progress_bar = false")
        query = _translate(Path(root), interval, duck).sql("duckdb")
        before = resource.getrusage(resource.RUSAGE_SELF)
        rows = duck.execute(query).fetchall()
        after = resource.getrusage(resource.RUSAGE_SELF)
    if len(rows) <= WAREHOUSES + 1:
        raise RuntimeError("no host breached")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_maxrss / 1024


def _cost_in_a_fresh_process(root: Path, interval: str) -> tuple[float, float]:
    code = "import sys; from benchmarks.fleet import cost; print(*cost(*sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(root), interval]
    seconds, megabytes = output_of(command).split()
    return float(seconds), float(megabytes)


def _translate(root: Path, interval: str, duck: duckdb.DuckDBPyConnection) -> exp.Expr:
    asked = {"source": "sys_connection_log_s3", "athena_conn_id": "athena", "namespace": NAMESPACE}
    run = make_run(INTERVALS[interval], **asked)
    query, _, _ = Engine(lambda uri: _files(root, uri)).translate(
        sqlglot.parse_one(statement(run, INCLUDE), read="athena"), duck
    )
    return sqlglot.parse_one(query, read="duckdb")


def _files(root: Path, uri: str) -> list[tuple[str, Path]]:
    folder = root / uri.removeprefix("s3://")
    return [(f"s3://{path.relative_to(root)}", path) for path in sorted(folder.rglob("*.parquet"))]


def _bytes_per_event(root: Path) -> dict[str, float]:
    """Return the compressed bytes that each column takes for an event."""
    with duckdb.connect() as duck:
        sql = (
            "SELECT path_in_schema, SUM(total_compressed_size) / (SELECT SUM(num_rows) FROM parquet_file_metadata($1))"
            " FROM parquet_metadata($1) GROUP BY path_in_schema"
        )
        return dict(duck.execute(sql, [f"{root}/**/*.parquet"]).fetchall())


def _reads(root: Path) -> list[set[str]]:
    """Return the columns of each read of the table where a CTE runs again for each reference, as Athena runs it."""
    with duckdb.connect() as duck:
        query = _translate(root, "an hour", duck)
        for cte in query.find_all(exp.CTE):
            cte.args["materialized"] = False
        duck.execute("SET disabled_optimizers = 'common_subplan'")
        plan = duck.execute("EXPLAIN (FORMAT json) " + query.sql("duckdb")).fetchone()
    nodes, found = json.loads(plan[1]) if plan else [], []
    while nodes:
        node = nodes.pop()
        nodes += node["children"]
        if "PARQUET" in node["name"]:
            named = json.dumps(node["extra_info"])  # what it returns, and what it filters by
            found.append({name for name in COLUMNS if re.search(rf"\b{name}\b", named)})
    return found


def publish(root: Path, events: int) -> None:
    """Write the table, a file for each hour, ordered by time. Ten times the events have ten times the hosts."""
    folder = root / BUCKET / NAMESPACE / TABLE / f"year={DAY:%Y}" / f"month={DAY:%m}" / f"day={DAY:%d}"
    folder.mkdir(parents=True)
    columns = ", ".join(f"CAST({DRAWN.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    in_an_hour, apart = events // 24, 86_400_000_000 // events
    with duckdb.connect() as duck:
        duck.execute(f"SET threads = {THREADS}")
        duck.execute("CREATE MACRO drawn(number, salt, most) AS CAST(hash(number * 100 + salt) % most AS BIGINT)")
        for hour in range(24):
            duck.execute(
                f"""
                COPY (
                    SELECT {columns.replace("draw(", "drawn(number, ")}
                    FROM (
                        SELECT
                            number,
                            TIMESTAMP '{DAY:%Y-%m-%d}'
                                + to_microseconds(number * {apart} + drawn(number, 14, {apart})) AS moment,
                            drawn(number, 11, {events // HOST_EVENTS}) AS host,
                            {hour} * {events // ATTACKER_EVENTS} + drawn(number, 12, {events // ATTACKER_EVENTS})
                                AS attacker,
                            {events // USER_EVENTS} AS users
                        FROM range({hour * in_an_hour}, {(hour + 1) * in_an_hour}) AS numbers(number)
                    ) AS numbered
                ) TO '{folder / f"{hour:02}.parquet"}' (FORMAT parquet, COMPRESSION zstd)
                """
            )
