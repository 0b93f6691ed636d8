"""What answers the local Athena's queries: DuckDB, from local copies of the files in S3.

A query is translated from Athena's dialect to DuckDB's. As in Athena, only files of the partitions that the query's
WHERE leaves are listed and read.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from sandbox.athena_tables import ExternalTable, ListFiles, PublishedTable, Table, external_table

_TYPES = {"INTEGER": "integer", "BIGINT": "bigint", "TIMESTAMP": "timestamp", "BOOLEAN": "boolean"}


class QueryFailedError(Exception):
    """A query that ended as FAILED or CANCELLED, with Athena's reason."""

    def __init__(self, reason: str, state: str = "FAILED") -> None:
        super().__init__(reason)
        self.state = state


@dataclass(frozen=True)
class Result:
    """What a query returned: columns with Athena's types, rows, and the files that it read with their size."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    partitions: set[str] = field(default_factory=set)
    scanned_bytes: int = 0


class Engine:
    """Runs statements over tables; ``list_files`` returns uri and local copy of each file of a prefix."""

    def __init__(self, list_files: ListFiles) -> None:
        self._list_files = list_files
        self.tables: dict[str, ExternalTable] = {}

    def run(self, sql: str) -> Result:
        """Run one statement; raise QueryFailedError with a reason in Athena's words."""
        explain = "EXPLAIN " if sql.startswith("EXPLAIN ") else ""  # sqlglot does not parse what follows
        try:
            tree = sqlglot.parse_one(sql.removeprefix(explain), read="athena")
        except sqlglot.ParseError as error:
            raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error
        if isinstance(tree, exp.Create):
            self.tables[tree.this.this.name] = external_table(tree)
            return Result()
        with duckdb.connect() as duck:
            translated, partitions, size = self.translate(tree, duck)
            try:
                cursor = duck.execute(explain + translated)
                columns = [(name, _TYPES.get(str(kind), "varchar")) for name, kind, *_ in cursor.description]
                return Result(columns, cursor.fetchall(), partitions, size)
            except duckdb.IOException as error:
                raise QueryFailedError(f"HIVE_CURSOR_ERROR: Failed to read file: {error}") from error
            except duckdb.Error as error:
                raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error

    def translate(self, tree: exp.Expr, duck: duckdb.DuckDBPyConnection) -> tuple[str, set[str], int]:
        """Return a parsed query for DuckDB, the locations that it reads, and the size of their files in bytes.

        In ``duck``, views of the files are made, which the query for DuckDB names.
        """
        partitions: set[str] = set()
        size = 0
        for number, table in enumerate(_tables(tree)):
            known = self._known(table)
            locations = _prune(table, known)
            partitions |= set(locations)
            files = [each for location in locations for each in self._list_files(location)]
            size += sum(path.stat().st_size for _, path in files)
            view = f"scan_{number}"
            known.create_view(duck, view, [str(path) for _, path in files])
            table.replace(exp.Table(this=exp.to_identifier(view), alias=table.args.get("alias")))
        return tree.sql("duckdb"), partitions, size

    def _known(self, table: exp.Table) -> Table:
        catalog, namespace = table.catalog, table.db
        if not catalog:
            if table.name not in self.tables:
                raise _not_found("TABLE", f"Table 'awsdatacatalog.logs.{table.name}' does not exist")
            return self.tables[table.name]
        place, _, bucket = catalog.partition("/")
        if place != "s3tablescatalog" or not (published := self._list_files(f"s3://{bucket}/")):
            raise _not_found("CATALOG", f"Catalog '{catalog}' not found")
        if not any(uri.startswith(f"s3://{bucket}/{namespace}/") for uri, _ in published):
            raise _not_found("SCHEMA", f"Schema '{namespace}' does not exist")
        files = [each for each in published if each[0].startswith(f"s3://{bucket}/{namespace}/{table.name}/")]
        if not files:
            raise _not_found("TABLE", f"Table '{catalog}.{namespace}.{table.name}' does not exist")
        return PublishedTable(files)


def _not_found(what: str, says: str) -> QueryFailedError:
    return QueryFailedError(f"{what}_NOT_FOUND: line 1:1: {says}")


def _tables(tree: exp.Expr) -> list[exp.Table]:
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    return [table for table in tree.find_all(exp.Table) if table.name and (table.catalog or table.name not in ctes)]


def _prune(table: exp.Table, known: Table) -> list[str]:
    """Return the locations that the conditions on partition columns leave, and take these out of the query."""
    select = table.find_ancestor(exp.Select)
    where = select and select.args.get("where")
    conditions = []
    whole = where.this if where else exp.true()
    for condition in list(whole.flatten()) if isinstance(whole, exp.And) else [whole]:
        columns = {column.name for column in condition.find_all(exp.Column)}
        if columns and columns <= set(known.partitioned_by):
            conditions.append(condition.sql("duckdb"))
            condition.replace(exp.true())
    return known.locations(" AND ".join(f"({each})" for each in conditions) or "TRUE")


def local_copy(content: bytes, path: Path) -> bool:
    """Write a file of S3 so that DuckDB reads it as Athena does; return whether there is anything in it.

    Bytes that are no UTF-8 are replaced, an array of CloudTrail's records becomes lines; what is no whole gzip stays as
    it is, for the query to fail on.
    """
    if not content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = gzip.decompress(content)
    except (EOFError, OSError):
        path.write_bytes(content)
        return True
    if path.name.endswith(".json.gz"):
        records = json.loads(text)["Records"]
        path.write_text("".join(json.dumps(_lower(record)) + "\n" for record in records))
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        content = gzip.compress(text.decode(errors="replace").encode(), compresslevel=1)
    path.write_bytes(content)
    return True


def _lower(record: dict[str, Any]) -> dict[str, Any]:
    """Lower the names of a record's fields, as the tables name them; what a field holds as JSON text stays as it is."""
    return {
        name.lower(): _lower(value) if isinstance(value, dict) and name != "requestParameters" else value
        for name, value in record.items()
    }
