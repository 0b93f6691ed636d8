"""RedshiftSQLOperator, which the Amazon provider had until 8.0.0, and a notifier for failures."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from redshift_auth_alert.tasks.remedies import check_connection_type, explained_errors
from redshift_auth_alert.tasks.versions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

MAX_TABLE_BYTES = 250_000
Select = Callable[[dict[str, list[Any]], "Context"], dict[str, list[Any]]]


class RedshiftSQLOperator(SQLExecuteQueryOperator):
    """Runs one statement and returns ``{"columns": [name, ...], "rows": [[value, ...], ...]}``, times as ISO 8601 text.

    The connection's type picks the hook; it must be one of ``connection_types``, comma-separated, where given. One of
    type redshift signs in with ``sign_in``, see SignInHook.
    ``select(table, context)`` may choose what of the fetched table goes on to the next task. Errors say what to mend;
    those that a retry cannot mend fail at once. What Athena scanned is logged, pushed as ``scanned_bytes``, and fails
    the task where it is more than ``max_scanned_gb``.
    """

    template_fields: Sequence[str] = (
        *SQLExecuteQueryOperator.template_fields,
        "connection_types",
        "max_scanned_gb",
    )

    def __init__(
        self,
        *,
        connection_types: str = "",
        max_scanned_gb: str = "",
        sign_in: Mapping[str, str | None] | None = None,
        select: Select | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(handler=fetch_table, split_statements=False, **kwargs)
        self.connection_types = connection_types
        self.max_scanned_gb = max_scanned_gb
        self.sign_in = dict(sign_in or {})
        self.select = select
        self._queries: list[str] = []

    def execute(self, context: Context) -> Any:
        """Run the statement; raise AirflowFailException or AirflowException that says what to mend."""
        scanned: list[int | None] = []

        def fetch(cursor: Any) -> dict[str, list[Any]]:
            scanned.append(getattr(cursor, "data_scanned_in_bytes", None))
            return fetch_table(cursor)

        self.handler = fetch
        with explained_errors(str(self.conn_id), self._queries):
            check_connection_type(str(self.conn_id), self.connection_types)
            table = super().execute(context)
        if scanned[0] is not None:
            self._account(scanned[0], context)
        return within_xcom(self.select(table, context) if self.select else table)

    def get_db_hook(self) -> Any:
        """Return the connection's hook."""
        from redshift_auth_alert.tasks.sign_in import choose_hook  # the drivers, which only its task should load

        return choose_hook(str(self.conn_id), self._queries, **self.sign_in)

    def on_kill(self) -> None:
        """Stop the query of a task that is killed or timed out: Athena would go on, and bill."""
        if self._queries:
            self.get_db_hook().stop_queries()

    def _account(self, scanned: int, context: Context) -> None:
        queries = ", ".join(self._queries)
        log.info("Athena scanned %s bytes (query %s)", f"{scanned:,}", queries)
        context["ti"].xcom_push(key="scanned_bytes", value=scanned)
        if self.max_scanned_gb and scanned > float(self.max_scanned_gb) * 1e9:
            raise AirflowFailException(
                f"Athena scanned {scanned / 1e9:,.1f} GB for this run, more than max_scanned_gb allows "
                f"({self.max_scanned_gb}; query {queries}): ask for a shorter interval, or raise max_scanned_gb. "
                "A limit of the Athena workgroup stops such a query before it costs"
            )


class FailureNotifier(SnsNotifier):
    """SnsNotifier that can tell FIFO topics too, which alone are sent the ids."""

    template_fields: Sequence[str] = (*SnsNotifier.template_fields, "message_group_id", "message_deduplication_id")

    def __init__(self, *, message_group_id: str, message_deduplication_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message_group_id = message_group_id
        self.message_deduplication_id = message_deduplication_id

    def notify(self, context: Context) -> None:  # noqa: ARG002 -- the parent's signature
        """Publish the rendered message."""
        fifo = self.target_arn.endswith(".fifo")
        self.hook.publish_to_target(
            target_arn=self.target_arn,
            message=self.message,
            subject=self.subject,
            message_attributes=self.message_attributes,
            message_deduplication_id=self.message_deduplication_id if fifo else None,
            message_group_id=self.message_group_id if fifo else None,
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
