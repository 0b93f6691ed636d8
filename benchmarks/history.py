"""A month of audit log in S3, DuckDB standing in for Athena: a backfill day by day against one run over all of it."""

from __future__ import annotations

import gzip
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import sqlglot

from benchmarks.figure import Figure
from benchmarks.statement import INCLUDE, make_run
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from sandbox.athena_engine import Engine
from sandbox.log_files import FAILURE, LOGIN, audit_log_key, setup_statement

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, FILES, EVENTS = 30, 720, 5_000_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ROUNDS = 3
Composition = Callable[[random.Random], tuple[str, str]]


def backfill() -> Iterator[Figure]:
    """5,000,000 events of 30 days in 720 files, on a log under attack and on a quiet one."""
    for name, compose, target in (("under attack", _attacked, 1.5), ("quiet", _quiet, 3)):
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), compose)
            engine = Engine(lambda uri, root=Path(folder): _files(root, uri))  # type: ignore[misc]
            engine.run(setup_statement("audit_log_s3", "logs"))
            days = [Interval(FIRST + day * DAY, FIRST + (day + 1) * DAY) for day in range(DAYS)]
            whole, each = [], []
            for _ in range(ROUNDS):
                whole.append(_seconds(engine, Interval(FIRST, FIRST + DAYS * DAY))[0])
                taken = [_seconds(engine, day) for day in days]
                each.append(sum(seconds for seconds, _ in taken))
        if name == "quiet":
            yield Figure("day partitions that a run over one day reads", max(number for _, number in taken), 3, "")
        ratio = statistics.median(each) / statistics.median(whole)
        yield Figure(f"30 runs over a day each against one over all, log {name}", ratio, target, "times")


def _seconds(engine: Engine, interval: Interval) -> tuple[float, int]:
    """Seconds that DuckDB takes for the statement, and the number of partitions that it reads."""
    run = make_run(interval, source="audit_log_s3", athena_conn_id="athena")
    with duckdb.connect() as duck:
        query, partitions, _ = engine.translate(sqlglot.parse_one(statement(run, INCLUDE), read="athena"), duck)
        began = time.perf_counter()
        duck.execute(query).fetchall()
        return time.perf_counter() - began, len(partitions)


def _attacked(dice: random.Random) -> tuple[str, str]:
    """Make half of the events failures, of 100,000 hosts that try for weeks and of 300 that try much harder."""
    if dice.random() < 0.5:
        return FAILURE, _host(dice, 100_000) if dice.random() < 0.7 else f"192.0.2.{dice.randrange(300)}"
    return LOGIN, _host(dice, 1_000)


def _quiet(dice: random.Random) -> tuple[str, str]:
    """Make a tenth of the events failures, of 100,000 hosts."""
    return (FAILURE if dice.random() < 0.1 else LOGIN), _host(dice, 100_000)


def _host(dice: random.Random, number: int) -> str:
    host = dice.randrange(number)
    return f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}"


def _write(folder: Path, compose: Composition) -> None:
    dice, in_a_file = random.Random(1), EVENTS // FILES
    for hour in range(FILES):
        start = FIRST + hour * HOUR
        lines = []
        for number in range(in_a_file):
            kind, host = compose(dice)
            minute, rest = divmod(number * 3600 / in_a_file, 60)
            at = f"{start:%a, %d %b %Y %H}:{int(minute):02}:{rest:06.3f}".replace(".", ":")
            lines.append(f"{kind} |{at}|::ffff:{host} |50000 |1234|dev |user{number % 1000} |password |0| | |0|\n")
        path = folder / "logs" / audit_log_key(start + HOUR + timedelta(minutes=5))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=1))


def _files(root: Path, uri: str) -> list[tuple[str, Path]]:
    folder = root / uri.removeprefix("s3://")
    return [(f"s3://{path.relative_to(root)}", path) for path in sorted(folder.glob("*"))]
