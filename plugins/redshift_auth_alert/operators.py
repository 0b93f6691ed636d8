"""RedshiftSQLOperator, which the Amazon provider had until 8.0.0, and a notifier for failures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowException, AirflowNotFoundException
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

# SQLSTATE (its first characters) -> what to do, and whether trying again can help. A wrong password is not tried
# again: each try is one more failed login from the worker's address.
_REMEDIES: tuple[tuple[str, str, bool], ...] = (
    ("28", "the warehouse refused the login: check user and password of the connection", False),
    ("42501", "the user may not read the log: GRANT SELECT on it, or GRANT ROLE sys:monitor, to the user", False),
    ("42P01", "the log does not exist there: Redshift Serverless has sys_connection_log only", False),
    ("3D000", "the database does not exist: check the connection's schema field, which names the database", False),
    ("53", "the warehouse is out of resources or connections", True),
    ("57", "the warehouse cancelled the statement or is shutting down", True),
)
# psycopg gives a refused login no SQLSTATE, only the server's words.
_REFUSALS = {"password authentication failed": "28P01", 'database ".*" does not exist': "3D000"}
_UNREACHABLE = "the warehouse could not be reached: check host, port, security group and whether it is paused"


MAX_TABLE_BYTES = 250_000
Select = Callable[[dict[str, list[Any]], "Context"], dict[str, list[Any]]]


class RedshiftSQLOperator(SQLExecuteQueryOperator):
    """Runs one statement and returns ``{"columns": [name, ...], "rows": [[value, ...], ...]}``, times as ISO 8601 text.

    The connection's type picks the hook (``redshift``, ``postgres``). ``select(table, context)`` may choose what of
    the fetched table goes on to the next task. Errors say what to mend; those that a retry cannot mend fail at once.
    """

    template_fields: Sequence[str] = (*SQLExecuteQueryOperator.template_fields,)

    def __init__(self, *, select: Select | None = None, **kwargs: Any) -> None:
        super().__init__(handler=fetch_table, split_statements=False, **kwargs)
        self.select = select

    def execute(self, context: Context) -> Any:
        """Run the statement; raise AirflowFailException or AirflowException that says what to mend."""
        with explained_errors(str(self.conn_id)):
            table = super().execute(context)
        return within_xcom(self.select(table, context) if self.select else table)


@contextmanager
def explained_errors(conn_id: str) -> Iterator[None]:
    """Raise an error of the connection ``conn_id`` as AirflowFailException or AirflowException that says what to mend.

    The former where a retry cannot mend it.
    """
    try:
        yield
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"Connection {conn_id!r} is not defined: add it (type redshift), or set conn_id to one that is"
        ) from error
    except Exception as error:
        remedy, retry = _remedy(error)
        kind = AirflowException if retry else AirflowFailException
        raise kind(f"Connection {conn_id!r}: {remedy} ({_brief(error)})") from error


class FailureNotifier(SnsNotifier):
    """SnsNotifier that can tell FIFO topics too."""

    template_fields: Sequence[str] = (*SnsNotifier.template_fields, "message_group_id", "message_deduplication_id")

    def __init__(self, *, message_group_id: str, message_deduplication_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message_group_id = message_group_id
        self.message_deduplication_id = message_deduplication_id

    def notify(self, context: Context) -> None:  # noqa: ARG002 -- the parent's signature
        """Publish the rendered message."""
        self.hook.publish_to_target(
            target_arn=self.target_arn,
            message=self.message,
            subject=self.subject,
            message_attributes=self.message_attributes,
            message_deduplication_id=self.message_deduplication_id,
            message_group_id=self.message_group_id,
        )


def fetch_table(cursor: Any) -> dict[str, list[Any]]:
    """Fetch all rows as JSON-ready values beside the names of their columns."""
    columns = [column[0] for column in cursor.description]
    return {"columns": columns, "rows": [[_plain(value) for value in row] for row in cursor.fetchall()]}


def within_xcom(table: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Leave out the rows from where ``table`` would pass MAX_TABLE_BYTES, but never the first.

    An attacker's names can be long, and rows come the worst first with the true totals on each.
    """
    size = len(json.dumps(table["columns"]))
    for kept, row in enumerate(table["rows"]):
        size += len(json.dumps(row)) + 2
        if kept and size > MAX_TABLE_BYTES:
            return table | {"rows": table["rows"][:kept]}
    return table


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _remedy(error: Exception) -> tuple[str, bool]:
    state = _sqlstate(error)
    for prefix, remedy, retry in _REMEDIES:
        if state.startswith(prefix):
            return remedy, retry
    if state:
        return "the warehouse refused the statement", False
    if type(error).__module__.split(".")[0] in ("redshift_connector", "psycopg", "psycopg2") or isinstance(
        error, OSError
    ):
        return _UNREACHABLE, True
    return "the query failed", True


def _sqlstate(error: Exception) -> str:
    """SQLSTATE of a driver's error, '' where it has none: psycopg has an attribute, redshift_connector a dict."""
    details = error.args[0] if error.args else None
    if isinstance(details, dict):
        return str(details.get("C", ""))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state or next((state for text, state in _REFUSALS.items() if re.search(text, str(error))), "")


def _brief(error: Exception) -> str:
    details = error.args[0] if error.args else None
    text = str(details.get("M", json.dumps(details, default=str))) if isinstance(details, dict) else str(error)
    return f"{type(error).__name__}: {text.strip()}"
