"""RedshiftSQLOperator, which the Amazon provider had until 8.0.0, and the operator that reports failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.tasks.remedies import check_connection_type, check_scanned, explained_errors
from redshift_auth_alert.tasks.versions import AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from redshift_auth_alert.message.alert import Message

log = logging.getLogger(__name__)

Table = dict[str, list[Any]]
# Keys of XCom: why a task failed; up to when and by which settings all was evaluated that goes to the topic; and what
# was not evaluated, in words: the interval, or warehouses of a fleet, while breaches at the others go to the topic.
REASON, EVALUATED, UNSEEN = "reason", "evaluated", "unseen"


class RedshiftSQLOperator(SQLExecuteQueryOperator):
    """Runs one statement and returns ``{"columns": [name, ...], "rows": [[value, ...], ...]}``, times as ISO 8601 text.

    The connection's type picks the hook; it must be one of ``connection_types``, comma-separated, where given. One of
    type redshift or postgres signs in with ``sign_in``, see ``choose_hook``. Errors say what to fix; those that a retry
    cannot fix fail at once. What Athena scanned is logged, pushed as ``scanned_bytes``, and fails the task where it is
    more than ``max_scanned_gb``. ``validate(context)`` may refuse the run with an AlertError before anything is
    rendered or queried, and ``into_xcom(table, context)`` turns the table into what the task returns. Where
    ``instead(context, open_hook)`` returns anything, the task returns that, and the statement is not run.
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
        sign_in: Mapping[str, Any] | None = None,
        validate: Callable[[Context], object] | None = None,
        into_xcom: Callable[[Table, Context], Any] | None = None,
        instead: Callable[[Context, Callable[[str], Any]], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(handler=fetch_table, split_statements=False, **kwargs)
        self.connection_types = connection_types
        self.max_scanned_gb = max_scanned_gb
        self.sign_in = dict(sign_in or {})
        self.validate = validate
        self.into_xcom = into_xcom
        self.instead = instead
        self._queries: list[str] = []
        self._hook: Any = None
        self._refusal: AlertError | None = None

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render the template fields of a valid run.

        An invalid run is refused by ``execute``: Airflow shows what is raised here in a collapsed part of the log only.
        """
        try:
            if self.validate:
                self.validate(context)
        except AlertError as error:
            self._refusal = error
        else:
            super().render_template_fields(context, jinja_env)

    def execute(self, context: Context) -> Any:
        """Run the statement; raise AirflowFailException or AirflowException that says what to fix."""
        with kept_reason(context):
            if self._refusal:
                raise AirflowFailException(str(self._refusal))
            if self.instead and (other := self.instead(context, self._open_hook)) is not None:
                return other
            return self._query(context)

    def _query(self, context: Context) -> Any:
        scanned: list[int | None] = []

        def fetch(cursor: Any) -> Table:
            scanned.append(getattr(cursor, "data_scanned_in_bytes", None))
            return fetch_table(cursor)

        self.handler = fetch
        with explained_errors(str(self.conn_id), self._queries):
            check_connection_type(str(self.conn_id), self.connection_types)
            table = super().execute(context)
        if scanned[0] is not None:
            self._account(scanned[0], context)
        return self.into_xcom(table, context) if self.into_xcom else table

    def get_db_hook(self) -> Any:
        """Return the connection's hook."""
        return self._open_hook(str(self.conn_id))

    def _open_hook(self, conn_id: str) -> Any:
        from redshift_auth_alert.tasks.sign_in import choose_hook  # the drivers, which only its task should load

        self._hook = choose_hook(conn_id, self._queries, **self.sign_in)
        return self._hook

    def on_kill(self) -> None:
        """Stop the query of a task that is killed or timed out: it would go on, and Athena would bill it."""
        if self._hook:
            self._hook.stop_queries()

    def _account(self, scanned: int, context: Context) -> None:
        queries = ", ".join(self._queries)
        log.info("Athena scanned %s bytes (query %s)", f"{scanned:,}", queries)
        context["ti"].xcom_push(key="scanned_bytes", value=scanned)
        if self.max_scanned_gb:
            check_scanned(scanned, float(self.max_scanned_gb), queries)


class Report(NamedTuple):
    """What is to be published, and what to do once it is."""

    topic: str
    message: Message
    keep: Callable[[], None]


class ReportFailureOperator(SnsPublishOperator):
    """Publishes what ``compose(context)`` returns, and then fails, so that the run stays failed.

    A task of its own, because a callback dies with the process of the task that failed. Skipped where ``compose``
    returns None.
    """

    def __init__(self, *, compose: Callable[[Context], Report | None], **kwargs: Any) -> None:
        super().__init__(target_arn="", message="", trigger_rule="one_failed", **kwargs)
        self.compose = compose

    def execute(self, context: Context) -> None:
        """Publish; raise AirflowFailException once the topic has taken the message."""
        report = self.compose(context)
        if report is None:
            raise AirflowSkipException("a dry run reports nothing")
        self.target_arn, message = report.topic, report.message
        self.subject, self.message, self.message_attributes = message.subject, message.body, dict(message.attributes)
        super().execute(context)
        try:
            report.keep()
        except Exception:  # a retry would publish it again
            log.warning("The failure is reported, but that is not recorded: it may be reported again", exc_info=True)
        raise AirflowFailException("the failure is reported; this task fails so that the run stays failed")


@contextmanager
def kept_reason(context: Context) -> Iterator[None]:
    """Keep why the task fails in its XCom ``REASON``, for ``report_failure``."""
    try:
        yield
    except Exception as error:
        if "ti" in context:
            context["ti"].xcom_push(key=REASON, value=str(error))
        raise


def fetch_table(cursor: Any) -> Table:
    """Fetch all rows as JSON-ready values beside the names of their columns, which Redshift may give in capitals."""
    columns = [column[0].lower() for column in cursor.description]
    return {"columns": columns, "rows": [[_plain(value) for value in row] for row in cursor.fetchall()]}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
