"""The tables that the local Athena knows: external ones, made by a DDL, and those that Redshift publishes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import duckdb
from sqlglot import exp

ListFiles = Callable[[str], list[tuple[str, Path]]]


class Table(Protocol):
    """A table of files in folders, one for each partition."""

    partitioned_by: list[str]

    def locations(self, condition: str) -> list[str]:
        """Return the prefixes of the files of the partitions that meet ``condition``."""

    def create_view(self, duck: duckdb.DuckDBPyConnection, name: str, paths: list[str]) -> None:
        """Make a view of these files."""


@dataclass
class ExternalTable:
    """A table over files of other services: its columns for DuckDB, and where its partitions' files are."""

    columns: dict[str, str]
    partitioned_by: list[str]
    properties: dict[str, str]

    @property
    def of_lines(self) -> bool:
        """Whether a row is a line of text, else a record of a JSON file of CloudTrail's."""
        return list(self.columns) == ["line"]

    def locations(self, condition: str) -> list[str]:
        """Return those of the projected partitions that meet ``condition``."""
        projected = " CROSS JOIN ".join(f"(SELECT unnest(?) AS {column})" for column in self.partitioned_by)
        values = [self._projected(column) for column in self.partitioned_by]
        with duckdb.connect() as duck:
            kept = duck.execute(f"SELECT * FROM {projected} WHERE {condition}", values).fetchall()
        return [self._location(dict(zip(self.partitioned_by, row, strict=True))) for row in kept]

    def create_view(self, duck: duckdb.DuckDBPyConnection, name: str, paths: list[str]) -> None:
        """Make a view of lines or records."""
        if not paths:
            empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in self.columns.items())
            duck.execute(f"""CREATE VIEW {name} AS SELECT {empty}, '' AS "$path" WHERE FALSE""")
            return
        columns = ", ".join(f"'{column}': '{kind}'" for column, kind in self.columns.items())
        how = (
            "delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, strict_mode = false, "
            "compression = 'gzip'"
            if self.of_lines
            else "format = 'newline_delimited', compression = 'uncompressed'"
        )
        reader = "read_csv" if self.of_lines else "read_json"
        duck.execute(
            f"""CREATE VIEW {name} AS SELECT {", ".join(self.columns)}, filename AS "$path" """
            f"FROM {reader}({paths}, columns = {{{columns}}}, filename = true, {how})"
        )

    def _location(self, partition: dict[str, str]) -> str:
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


@dataclass
class PublishedTable:
    """A table that Redshift publishes, as Parquet files in folders such as year=2026/month=03/day=01."""

    files: list[tuple[str, Path]]

    def __post_init__(self) -> None:
        """Take the partitions from the files' folders."""
        folders = sorted({uri.rsplit("/", 1)[0] for uri, _ in self.files})
        self._partitions = {folder: dict(re.findall(r"([a-z]+)=([^/]+)", folder)) for folder in folders}
        self.partitioned_by = list(next(iter(self._partitions.values())))

    def locations(self, condition: str) -> list[str]:
        """Return those of the folders that meet ``condition``. Their values are text, the harder case."""
        columns = ", ".join(self.partitioned_by)
        values = ", ".join(
            "(" + ", ".join(f"'{value}'" for value in (folder, *partition.values())) + ")"
            for folder, partition in self._partitions.items()
        )
        with duckdb.connect() as duck:
            sql = (
                f"SELECT folder FROM (VALUES {values}) AS folders(folder, {columns}) WHERE {condition} ORDER BY folder"
            )
            return [str(row[0]) for row in duck.execute(sql).fetchall()]

    def create_view(self, duck: duckdb.DuckDBPyConnection, name: str, paths: list[str]) -> None:
        """Make a view of rows; of none, it has the columns of the table's first file."""
        rows = "" if paths else " WHERE FALSE"
        duck.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({paths or [str(self.files[0][1])]}){rows}")


def external_table(create: exp.Create) -> ExternalTable:
    """Return the table of a DDL."""
    properties = create.args["properties"].expressions
    partitioned = next(each.this for each in properties if isinstance(each, exp.PartitionedByProperty))
    return ExternalTable(
        {column.name: column.kind.sql("duckdb") for column in create.this.expressions},
        [column.name for column in partitioned.expressions],
        {each.this.name: each.args["value"].name for each in properties if type(each) is exp.Property},
    )
