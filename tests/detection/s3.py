"""Logs in S3 for tests: the stand-in of Athena on local files, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from sandbox.athena_engine import Engine, local_copy
from sandbox.log_files import ConnectionEvent, setup_statement
from sandbox.published_log import BUCKET as PUBLISHED
from sandbox.published_log import NAMESPACE, published_files
from tests.conftest import render_statement

BUCKET = "logs"


class Logs:
    """A folder that stands for a bucket, and the tables over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(self._list_files)
        for source in ("audit_log_s3", "cloudtrail"):
            self.engine.run(setup_statement(source, BUCKET))

    def put(self, files: Iterable[tuple[str, bytes]]) -> None:
        for key, content in files:
            local_copy(content, self.folder / BUCKET / key)

    def publish(self, by_warehouse: Mapping[str, Iterable[ConnectionEvent]], namespace: str = NAMESPACE) -> None:
        for key, content in published_files(by_warehouse, namespace):
            local_copy(content, self.folder / PUBLISHED / key)

    def measure(self, run: Evaluation) -> list[dict[str, Any]]:
        """The statement's rows."""
        result = self.engine.run(render_statement(run))
        return [dict(zip((name for name, _ in result.columns), row, strict=True)) for row in result.rows]

    def _list_files(self, uri: str) -> list[tuple[str, Path]]:
        folder = self.folder / uri.removeprefix("s3://")
        return [(f"s3://{path.relative_to(self.folder)}", path) for path in sorted(folder.rglob("*")) if path.is_file()]
