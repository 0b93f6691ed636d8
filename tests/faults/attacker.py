"""Somebody fails in each minute, and what must be reported of it: from the log, and by its definition alone."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sandbox.aws import Mail
from sandbox.warehouse import Warehouse

NETWORK = "127.0.1."
WINDOW = timedelta(minutes=30)
THRESHOLD = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# An interval's start, and an address that breached in it.
Breach = tuple[datetime, str]


@contextlib.contextmanager
def attacking(warehouse: Warehouse) -> Iterator[None]:
    """Fail THRESHOLD times in each minute, each time from another address, at moments that nobody foresees."""
    ended = threading.Event()

    def attack() -> None:
        for number in range(1, 255):
            minute = time.time() // 60 * 60
            for second in sorted(random.uniform(0, 60) for _ in range(THRESHOLD)):
                if ended.wait(max(0.0, minute + second - time.time())):
                    return
                assert not warehouse.login(f"{NETWORK}{number}", "admin", "guess")
            ended.wait(max(0.0, minute + 60 - time.time()))

    thread = threading.Thread(target=attack, daemon=True, name="attacker")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def breaches(warehouse: Warehouse, first: datetime, end: datetime, length: timedelta, user: str = "") -> set[Breach]:
    """Return who breached in which of the intervals of ``length`` in [first, end), by the log as ``user`` reads it."""
    log = f"{user}.stl_connection_log" if user else "stl_connection_log"
    with warehouse.admin() as admin:
        rows = admin.execute(
            f"SELECT recordtime, split_part(remotehost, ':', 4) FROM {log}"
            " WHERE event = 'authentication failure' AND remotehost LIKE %s",
            (f"::ffff:{NETWORK}%",),
        ).fetchall()
    failures = [(at.replace(tzinfo=UTC), host.strip()) for at, host in rows]
    found = set()
    for at, host in failures:
        in_window = sum(other == host and at - WINDOW < when <= at for when, other in failures)
        if first <= at < end and in_window >= THRESHOLD:
            found.add((EPOCH + (at - EPOCH) // length * length, host))
    return found


def reported(mails: Sequence[Mail], first: datetime, end: datetime) -> list[Breach]:
    """Return which breaches of intervals in [first, end) the alerts name; a repeat with the same alert_id is none."""
    found = []
    for mail in {mail.attributes["alert_id"]: mail for mail in mails}.values():
        interval = re.search(r"^Interval +(.*?) to ", mail.body, re.MULTILINE)
        assert interval, mail.body
        start = datetime.fromisoformat(interval[1]).replace(tzinfo=UTC)
        if first <= start < end:
            found += [(start, host) for host in re.findall(r"^(\S+) \[\d+ times\]", mail.body, re.MULTILINE)]
    return [(start, host) for start, host in found if host.startswith(NETWORK)]


def repeats(mails: Sequence[Mail]) -> int:
    """Return how many of the mails repeat the alert_id of another."""
    return len(mails) - len({mail.attributes["alert_id"] for mail in mails})


def twice(found: Sequence[Breach]) -> list[Breach]:
    """Return the breaches that are reported more than once."""
    return [breach for breach, times in Counter(found).items() if times > 1]
