"""The local Athena: moto's. The engine answers its queries from the files in the local S3."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from sandbox.athena_engine import Engine, Result, local_copy
from sandbox.athena_tables import ListFiles

PAGE = 1_000


@dataclass
class Athena:
    """The running stand-in. ``refusals`` are errors that the next calls to start a query get: code and message."""

    engine: Engine
    results: dict[str, Future[Result]] = field(default_factory=dict)
    refusals: deque[tuple[str, str]] = field(default_factory=deque)


@contextlib.contextmanager
def answering_queries(s3: Any) -> Iterator[Athena]:
    """Answer the queries to moto's Athena until the end of the block, from the files that the client ``s3`` sees."""
    with tempfile.TemporaryDirectory(prefix="redshift-auth-alert-s3-") as folder, ThreadPoolExecutor(2) as workers:
        athena = Athena(Engine(files_in(s3, Path(folder))))
        start = AthenaBackend.start_query_execution

        def started(backend: AthenaBackend, query: str, *rest: Any, **named: Any) -> str:
            if athena.refusals:
                raise JsonRESTError(*athena.refusals.popleft())
            query_id = str(start(backend, query, *rest, **named))
            athena.results[query_id] = workers.submit(athena.engine.run, query)
            return query_id

        def status(response: AthenaResponse) -> str:
            answer = json.loads(get_execution(response))
            execution = answer["QueryExecution"]
            result = athena.results[execution["QueryExecutionId"]]
            execution["Status"]["State"] = "RUNNING"
            if result.done() and (error := result.exception()):
                execution["Status"] |= {"State": getattr(error, "state", "FAILED"), "StateChangeReason": str(error)}
            elif result.done():
                execution["Status"]["State"] = "SUCCEEDED"
                execution["Statistics"]["DataScannedInBytes"] = result.result().scanned_bytes
            return json.dumps(answer)

        def results(response: AthenaResponse) -> str:
            query_id = response._get_param("QueryExecutionId")
            first = int(response._get_param("NextToken") or 0)
            return json.dumps(_page(athena.results[query_id].result(), first))

        get_execution = AthenaResponse.get_query_execution
        with (
            patch.object(AthenaBackend, "start_query_execution", started),
            patch.object(AthenaResponse, "get_query_execution", status),
            patch.object(AthenaResponse, "get_query_results", results),
        ):
            yield athena


def _page(result: Result, first: int) -> dict[str, Any]:
    header = [tuple(name for name, _ in result.columns)] if first == 0 and result.columns else []
    rows = header + result.rows[first : first + PAGE - len(header)]
    following = first + len(rows) - len(header)
    unknown = {"CatalogName": "hive", "Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": True}
    columns = [{"Name": name, "Label": name, "Type": kind} | unknown for name, kind in result.columns]
    answer: dict[str, Any] = {
        "ResultSet": {
            "Rows": [{"Data": [_datum(value) for value in row]} for row in rows],
            "ResultSetMetadata": {"ColumnInfo": columns},
        }
    }
    return answer | ({"NextToken": str(following)} if following < len(result.rows) else {})


def _datum(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if hasattr(value, "isoformat"):
        return {"VarCharValue": value.isoformat(" ", "milliseconds")}
    return {"VarCharValue": str(value)}


def files_in(s3: Any, folder: Path) -> ListFiles:
    """Return what lists the files that the client ``s3`` sees, with copies of them in ``folder``."""
    copies: dict[tuple[str, str], Path | None] = {}
    one_by_one = threading.Lock()  # a query must not write a file anew while another one reads it

    def list_files(uri: str) -> list[tuple[str, Path]]:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        found = []
        there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix) if bucket in there else ()
        for each in (each for page in pages for each in page.get("Contents", [])):
            version = (each["Key"], each["ETag"])
            with one_by_one:
                if version not in copies:
                    content = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
                    path = folder / bucket / each["Key"]
                    copies[version] = path if local_copy(content, path) else None
                if path := copies[version]:
                    found.append((f"s3://{bucket}/{each['Key']}", path))
        return found

    return list_files
