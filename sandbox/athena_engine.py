"""What answers the local Athena's queries: DuckDB, from local copies of the files in S3.

A query is translated from Athena's dialect to DuckDB's. The tables are those of the DDL that was run, with their
partition projection: as in Athena, only files of the days that the query's WHERE leaves are listed and read.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

_TYPES = {"INTEGER": "integer", "BIGINT": "bigint", "TIMESTAMP": "timestamp", "BOOLEAN": "boolean"}
ListFiles = Callable[[str], list[tuple[str, Path]]]


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


@dataclass
class Table:
    """An external table: its columns for DuckDB, and where its partitions' files are."""

    columns: dict[str, str]
    partitioned_by: list[str]
    properties: dict[str, str]

    @property
    def of_lines(self) -> bool:
        """Whether a row is a line of text, else a record of a JSON file of CloudTrail's."""
        return list(self.columns) == ["line"]

    def partitions(self, condition: str) -> list[dict[str, str]]:
        """Return the projected partitions that meet ``condition``, as values by column."""
        projected = " CROSS JOIN ".join(f"(SELECT unnest(?) AS {column})" for column in self.partitioned_by)
        values = [self._projected(column) for column in self.partitioned_by]
        with duckdb.connect() as duck:
            kept = duck.execute(f"SELECT * FROM {projected} WHERE {condition}", values).fetchall()
        return [dict(zip(self.partitioned_by, row, strict=True)) for row in kept]

    def location(self, partition: dict[str, str]) -> str:
        """Return the prefix of a partition's files."""
        location = self.properties["storage.location.template"]
        for column, value in partition.items():
            location = location.replace(f"${{{column}}}", value)
        return location

    def _projected(self, column: str) -> list[str]:
        def of(what: str) -> str:
            return self.properties[f"projection.{column}.{what}"]

        if of("type") == "enum":
            return of("values").split(",")
        first = date(*map(int, of("range").split(",")[0].split("/")))
        days = (date.today() - first).days + 2  # noqa: DTZ011 -- NOW+1DAYS
        return [f"{first + timedelta(days=day):%Y/%m/%d}" for day in range(days)]


class Engine:
    """Runs statements over external tables; ``list_files`` returns uri and local copy of each file of a prefix."""

    def __init__(self, list_files: ListFiles) -> None:
        self._list_files = list_files
        self.tables: dict[str, Table] = {}

    def run(self, sql: str) -> Result:
        """Run one statement; raise QueryFailedError with a reason in Athena's words."""
        try:
            tree = sqlglot.parse_one(sql, read="athena")
        except sqlglot.ParseError as error:
            raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error
        if isinstance(tree, exp.Create):
            self.tables[tree.this.this.name] = _table(tree)
            return Result()
        with duckdb.connect() as duck:
            translated, partitions, size = self.translate(tree, duck)
            try:
                cursor = duck.execute(translated)
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
        for number, table in enumerate(self._external(tree)):
            locations = self._prune(table)
            partitions |= set(locations)
            files = [each for location in locations for each in self._list_files(location)]
            size += sum(path.stat().st_size for _, path in files)
            view = f"scan_{number}"
            _create_view(duck, view, self.tables[table.name], files)
            table.set("this", exp.to_identifier(view))
        return tree.sql("duckdb"), partitions, size

    def _external(self, tree: exp.Expr) -> list[exp.Table]:
        ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        tables = [table for table in tree.find_all(exp.Table) if table.name and table.name not in ctes]
        for table in tables:
            if table.name not in self.tables:
                raise QueryFailedError(
                    f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.logs.{table.name}' does not exist"
                )
        return tables

    def _prune(self, table: exp.Table) -> list[str]:
        """Return the locations that the conditions on partition columns leave, and take these out of the query."""
        known = self.tables[table.name]
        select = table.find_ancestor(exp.Select)
        where = select and select.args.get("where")
        conditions = []
        whole = where.this if where else exp.true()
        for condition in list(whole.flatten()) if isinstance(whole, exp.And) else [whole]:
            columns = {column.name for column in condition.find_all(exp.Column)}
            if columns and columns <= set(known.partitioned_by):
                conditions.append(condition.sql("duckdb"))
                condition.replace(exp.true())
        return [known.location(each) for each in known.partitions(" AND ".join(conditions) or "TRUE")]


def _table(create: exp.Create) -> Table:
    properties = create.args["properties"].expressions
    partitioned = next(each.this for each in properties if isinstance(each, exp.PartitionedByProperty))
    return Table(
        {column.name: column.kind.sql("duckdb") for column in create.this.expressions},
        [column.name for column in partitioned.expressions],
        {each.this.name: each.args["value"].name for each in properties if type(each) is exp.Property},
    )


def _create_view(duck: duckdb.DuckDBPyConnection, name: str, table: Table, files: list[tuple[str, Path]]) -> None:
    columns = ", ".join(f"'{column}': '{kind}'" for column, kind in table.columns.items())
    paths = [str(path) for _, path in files]
    if not files:
        empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in table.columns.items())
        duck.execute(f"""CREATE VIEW {name} AS SELECT {empty}, '' AS "$path" WHERE FALSE""")
        return
    how = (
        "delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, strict_mode = false, "
        "compression = 'gzip'"
        if table.of_lines
        else "format = 'newline_delimited', compression = 'uncompressed'"
    )
    reader = "read_csv" if table.of_lines else "read_json"
    duck.execute(
        f"""CREATE VIEW {name} AS SELECT {", ".join(table.columns)}, filename AS "$path" """
        f"FROM {reader}({paths}, columns = {{{columns}}}, filename = true, {how})"
    )


def local_copy(content: bytes, path: Path) -> bool:
    """Write a file of S3 so that DuckDB reads it as Athena does; tell whether there is anything in it.

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
