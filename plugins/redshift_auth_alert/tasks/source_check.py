"""The checks of one source: its connection, its log, and the statement on it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import redshift_connector
from airflow.exceptions import AirflowException

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import format_utc, parse_utc
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.message.setup import Check, Outcome
from redshift_auth_alert.settings.english import counted
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.tasks.fleet_check import check_warehouses
from redshift_auth_alert.tasks.operators import fetch_table
from redshift_auth_alert.tasks.remedies import check_connection_type, check_scanned, explained_errors, sqlstate_of
from redshift_auth_alert.tasks.versions import BaseHook

# The package counts the first, and finds out by the second who got in.
KNOWN_EVENTS = (
    "authentication failure", "authenticated", "initiating session", "disconnecting session", "set application_name",
)  # fmt: skip
# Where one of these is not ok, those after it cannot be looked at.
_ESSENTIAL = ("connection", "credentials", "sign-in", "log")
# Together below the task's limit of ten minutes: the last statement may begin just before the deadline.
ALL_SECONDS, EACH_SECONDS = 360, 120
OpenHook = Callable[[str], Any]
Found = tuple[Outcome, str]


class SourceCheck:
    """The checks of one source. Each look returns an outcome, and in words what was found or what to do."""

    def __init__(self, run: Evaluation, conn_id: str, now: datetime, include: Path, open_hook: OpenHook) -> None:
        self._run, self._conn_id, self._now, self._include = run, conn_id, now, include
        self._open_hook = open_hook
        self._hook: Any = None
        self._session: Any = None
        self._user = ""
        self._scanned = 0
        self._log: dict[str, Any] = {}
        self._deadline = time.monotonic() + ALL_SECONDS

    def checks(self) -> list[Check]:
        """Return all checks; those that need what is not ok are not made."""
        checks: list[Check] = []
        blocked = ""
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self._close)
            for name, look in self._looks().items():
                if blocked:
                    found: Found = "not checked", f"needs the {blocked}"
                elif time.monotonic() > self._deadline:
                    found = "not checked", "the checks before it took too long: see what keeps the warehouse busy"
                else:
                    found = self._look(look)
                blocked = blocked or (name if found[0] == "not ok" and name in _ESSENTIAL else "")
                checks.append(Check(name, *found))
        return checks

    def _looks(self) -> dict[str, Callable[[], Found]]:
        of_all: dict[str, Callable[[], Found]] = {"log": self._read, "rights": self._rights, "delay": self._delay,
            "events": self._events, "names": self._names, "plan": self._plan, "statement": self._statement,
        }  # fmt: skip
        if self._run.source.delivered:
            fleet: dict[str, Callable[[], Found]] = {"warehouses": self._warehouses} if self._run.source.fleet else {}
            return {"connection": self._connection, "sign-in": self._open} | of_all | fleet
        live: dict[str, Callable[[], Found]] = {"connection": self._connection, "credentials": self._credentials,
            "sign-in": self._open, "warehouse": self._warehouse,
        }  # fmt: skip
        lockout: dict[str, Callable[[], Found]] = {"lockout": self._lockout} if self._run.settings.lockout_after else {}
        return live | lockout | of_all

    def _close(self) -> None:
        if self._session:
            with contextlib.suppress(redshift_connector.Error):  # it is closed already
                self._session.close()

    def _look(self, look: Callable[[], Found]) -> Found:
        try:
            with explained_errors(self._conn_id):
                return look()
        except (AirflowException, AlertError) as error:
            return "not ok", str(error)

    def _connection(self) -> Found:
        check_connection_type(self._conn_id, self._run.connection_types)
        connection = BaseHook.get_connection(self._conn_id)
        where = f"{connection.host}:{connection.port}" if connection.host else "AWS"
        return "ok", f"{self._conn_id} of type {connection.conn_type}, to {where}, database {connection.schema}"

    def _credentials(self) -> Found:
        self._hook = self._open_hook(self._conn_id)
        # Reads the parameters or asks IAM, where the hook does that.
        user = getattr(getattr(self._hook, "conn", None), "login", None)
        way = "the connection's password"
        if self._run.settings.user_parameter:
            way = f"SSM parameters {self._run.settings.user_parameter} and {self._run.settings.password_parameter}"
        elif BaseHook.get_connection(self._conn_id).extra_dejson.get("iam"):
            way = "IAM"
        return "ok", f"{way}, user {user}" if user else way

    def _open(self) -> Found:
        self._hook = self._hook or self._open_hook(self._conn_id)
        self._session = self._hook.get_conn()
        if self._run.source.delivered:
            return "ok", "Athena answers" if self._query("SELECT 1 AS one") else "Athena answers nothing"
        self._session.commit()
        self._session.autocommit = True  # so that a statement that fails stops none after it
        with self._session.cursor() as cursor:
            cursor.execute(f"SET statement_timeout TO {1000 * EACH_SECONDS}")
        self._user = str(self._query("SELECT CURRENT_USER AS name")[0]["name"])
        return "ok", f"signed in as {self._user}"

    def _warehouse(self) -> Found:
        version = str(self._query("SELECT VERSION() AS version")[0]["version"])
        redshift = re.search(r"Redshift (\S+)", version)
        if not redshift:
            return "not ok", f"this is not Redshift: {version.split(',', maxsplit=1)[0]}"
        host = str(BaseHook.get_connection(self._conn_id).host)
        kind = "Serverless workgroup" if ".redshift-serverless." in host else "provisioned cluster"
        unsure = "" if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else ", as far as its host name tells"
        return "ok", f"{kind}{unsure}, Redshift {redshift[1]}"

    def _lockout(self) -> Found:
        ours = self._run.settings.lockout_after
        try:
            (row,) = self._query("SHOW max_failed_login_attempts")
        except Exception as error:
            if not sqlstate_of(error).startswith("42"):  # no right to see it, or no such setting
                raise
            return "not checked", (
                f"the monitor's user may not see the limit ({type(error).__name__}): as a superuser, compare "
                f"SHOW max_failed_login_attempts with lockout_after ({ours})"
            )
        limit = str(next(iter(row.values())))
        if limit != str(ours):
            return "not ok", f"the warehouse locks a user after {limit} failures in a row: set lockout_after: {limit}"
        return "ok", f"the warehouse locks a user after {limit} failures in a row, as lockout_after says"

    def _read(self) -> Found:
        self._log = self._query(self._sql("check/log.sql"))[0]
        source = self._run.source
        if not self._log["events"]:
            return "not ok", source.shows_nothing.format(log=source.log)
        oldest, newest = self._time("oldest_event_at"), self._time("newest_event_at")
        unreadable = int(self._log["unreadable_lines"])
        if oldest is None or newest is None:
            return "not ok", f"none of the {unreadable:,} lines of {source.log} could be read"
        lines = f"; {unreadable:,} lines could not be read" if unreadable else ""
        found = f"{source.log} shows {self._log['events']:,} events, {format_utc(oldest)} to {format_utc(newest)} UTC"
        return "ok", found + lines

    def _rights(self) -> Found:
        source, users = self._run.source, [str(row["user_name"]) for row in self._query(self._sql("check/users.sql"))]
        # The log may put IAM's prefix before the name, and cuts both at 50 bytes.
        others = [user for user in users if not self._user or self._user[:40] not in user]
        if not others:
            return "not ok", source.shows_only_own.format(log=source.log)
        return "ok", f"the log shows others' events: {'100 or more' if len(users) == 100 else len(others)} other users"

    def _warehouses(self) -> Found:
        seen = [str(row["warehouse"]) for row in self._query(self._sql("check/warehouses.sql"))]
        return check_warehouses(seen, self._run)

    def _delay(self) -> Found:
        newest, settle = self._time("newest_event_at"), self._now - self._run.interval.end
        if newest is None or self._time("own_sign_in_at"):
            return "ok", "this session's sign-in is in the log already"
        age = max(self._now - newest, timedelta())
        found = f"the newest event is {_minutes(age)} old"
        if not self._run.source.delivered:
            found += ", and this session's sign-in is not in the log yet"
        if age > settle and not self._run.source.delivered:  # nobody else may have signed in since
            return "not checked", f"{found}: check again later, and if it is still missing, raise settle_minutes"
        if age > settle:
            return "not ok", (
                f"{found}; runs start {_minutes(settle)} after their interval ends. Check again later: if it stays so, "
                "raise settle_minutes"
            )
        return "ok", f"{found}; runs start {_minutes(settle)} after their interval ends"

    def _events(self) -> Found:
        numbers = {str(row["event"]): int(row["number"]) for row in self._query(self._sql("check/events.sql"))}
        known = ", ".join(f"{name} ({numbers[name]:,})" for name in KNOWN_EVENTS if name in numbers)
        # CloudTrail's names of all other calls are events too.
        unknown = [f"{name!r} ({number:,})" for name, number in numbers.items() if name not in KNOWN_EVENTS]
        if unknown and self._run.settings.source != "cloudtrail":
            return "not ok", (
                f"{', '.join(unknown[:10])}: not known to the package. If one of them is a failed sign-in, it is not "
                f"counted: please report it. Known: {known or 'none'}"
            )
        return "ok", known

    def _names(self) -> Found:
        names = [str(row["user_name"]) for row in self._query(self._sql("check/names.sql"))]
        odd = sum("\\x" in name or "\N{REPLACEMENT CHARACTER}" in name for name in names)
        found = f"users that failed to sign in: {'10,000 or more' if len(names) == 10_000 else f'{len(names):,}'}"
        return "ok", found + (f"; {odd:,} of them hold bytes that are no text: alerts escape them" if odd else "")

    def _plan(self) -> Found:
        steps = [str(next(iter(row.values()))) for row in self._query(f"EXPLAIN {self._sql('auth_failures.sql')}")]
        nested = sum("nested loop" in step.lower() for step in steps)
        found = f"EXPLAIN shows {counted(len(steps), 'step')}, {counted(nested, 'nested loop')}"
        return "ok", found + ("; a query-monitoring rule on those may stop the statement" if nested else "")

    def _statement(self) -> Found:
        begin = time.monotonic()
        rows = self._query(self._sql("auth_failures.sql"))
        seconds = time.monotonic() - begin
        scanned = f"; Athena scanned {self._scanned:,} bytes" if self._run.source.delivered else ""
        failures = next(int(row["all_failures"]) for row in rows if row.get("covered_warehouse") is None)
        return "ok", f"took {seconds:.1f} seconds for {self._run.interval}; {failures:,} failures{scanned}"

    def _sql(self, file: str) -> str:
        return statement(self._run, self._include, file)

    def _query(self, sql: str) -> list[dict[str, Any]]:
        with self._session.cursor() as cursor:
            cursor.execute(sql)
            table = fetch_table(cursor)
            self._scanned = scanned = getattr(cursor, "data_scanned_in_bytes", None) or 0
        check_scanned(scanned, self._run.settings.max_scanned_gb, cursor.query_id if scanned else "")
        return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]

    def _time(self, column: str) -> datetime | None:
        value = self._log[column]
        return None if value is None else parse_utc(str(value))


def _minutes(span: timedelta) -> str:
    return f"{span / timedelta(minutes=1):,.0f} minutes" if span > timedelta(minutes=2) else f"{span.seconds} seconds"
