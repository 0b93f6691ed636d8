"""The hook to Athena; imports PyAthena."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.athena_sql import AthenaSQLHook


class QueryIdHook(AthenaSQLHook):
    """AthenaSQLHook that adds the id of each query that it starts to ``queries``: Athena's errors do not name it."""

    def __init__(self, queries: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._queries = queries

    def get_conn(self) -> Any:
        """Return a PyAthena connection."""
        connection = super().get_conn()
        connection.on_start_query_execution = self._queries.append
        return connection

    def stop_queries(self) -> None:
        """Stop what still runs of the queries that were started; on those that have ended it has no effect."""
        client = self.get_conn().client
        for query_id in self._queries:
            client.stop_query_execution(QueryExecutionId=query_id)
